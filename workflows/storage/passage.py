"""Which taken effects may go out now? Asked within the transaction that takes them.

A gate's row is locked until that commits, so all worker processes together keep a limit. What may
not go yet gets a later due time.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from workflows.engine.limits import Limits
from workflows.storage import gates, sql
from workflows.storage.gates import Gate
from workflows.storage.work import EFFECT_MARGIN_SECONDS

PROBE_SECONDS = 2.0  # while one effect tries a destination, the others look again so often
_BUSY_SECONDS = 0.05  # when to look again for a slot, should nobody say that one is free
_LONGEST_WAIT_SECONDS = 5.0  # until what waits for a limit asks again: it may be another by then
BURST_SECONDS = 0.5  # what a rate didn't use of this time may go out together


class Due(NamedTuple):
    """An effect that was due and is taken."""

    flow_id: int
    number: int
    own_gate: str  # of its node, or of its key there; "" without limits
    limits: Limits  # of that gate
    workspace_id: int
    destination: str
    timeout_seconds: float

    @property
    def place(self) -> tuple[int, int]:
        """What names it: (flow, number)."""
        return self.flow_id, self.number


class Shut(NamedTuple):
    """A destination that nothing goes to before `until`."""

    workspace_id: int
    destination: str
    until: float


class Later(NamedTuple):
    """When to ask again, and the gate at which a slot is waited for, if it is one."""

    moment: float
    gate: str = ""


class Sorted(NamedTuple):
    """What may go out; when to ask again for the others; of what may go out, by (flow, number),
    what has a slot and what tries a destination that is down; and what is shut from now on."""

    passed: list[Due]
    later: list[tuple[Due, Later]]
    slotted: set[tuple[int, int]]
    probes: set[tuple[int, int]]
    shut: list[Shut]


def sort(due: Sequence[Due], now: float) -> Sorted:
    """Let through what may go out, in the order given. Locks the gates that are asked."""
    wanted: dict[Due, list[str]] = {}
    own: dict[str, Limits] = {}
    for one in due:
        wanted[one] = [gates.destination_gate(one.workspace_id, one.destination)]
        if one.own_gate:
            own[one.own_gate] = one.limits
            wanted[one].append(one.own_gate)
    of_destinations = {names[0] for names in wanted.values()}
    # Destinations first, then the others, each by name: nobody locks them the other way round.
    locked = {**_lock(sorted(of_destinations)), **_make(own)}
    passage = _Passage(locked, now)
    passage.count_slots([one for one in due if any(name in locked for name in wanted[one])])
    out = Sorted([], [], set(), set(), [])
    for one in due:
        names = [name for name in wanted[one] if name in locked]
        later = passage.ask(names)
        if later is None:
            passage.enter(names, one, out)
            out.passed.append(one)
        else:
            out.later.append((one, later))
    passage.write()
    return out._replace(shut=passage.shut())


def _lock(names: Sequence[str]) -> dict[str, Gate]:
    """Those of these gates that there are."""
    if not names:
        return {}
    marks = ", ".join(["%s"] * len(names))
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    rows = sql.fetch(
        f"SELECT {gates.COLUMNS} FROM workflows_gate WHERE name IN ({marks}) ORDER BY name{lock}",
        names,
    )
    return {gate.name: gate for gate in (Gate(*row) for row in rows)}


def _make(limits: dict[str, Limits]) -> dict[str, Gate]:
    """The gates of limited nodes and keys, made where there are none. In one step with the lock,
    because those that rest are deleted (`gatesweep`)."""
    rows = sql.find_many(
        f"INSERT INTO workflows_gate ({gates.COLUMNS})"
        " SELECT v.name, 0, '', 0, 0, 0, 0, NULL, 0, 0, 0, '' FROM v WHERE 1 = 1"
        " ON CONFLICT (name) DO UPDATE SET destination = excluded.destination"
        f" RETURNING {gates.COLUMNS}",
        "name",
        [(name,) for name in sorted(limits)],
    )
    found = (Gate(*row) for row in rows)
    return {
        gate.name: gate._replace(
            at_once=limits[gate.name].at_once, per_second=limits[gate.name].per_second
        )
        for gate in found
    }


class _Passage:
    """Locked gates while effects pass them, one after another."""

    def __init__(self, locked: dict[str, Gate], now: float) -> None:
        self._gates, self._now = locked, now
        self._next_at = {name: gate.next_at for name, gate in locked.items()}
        self._tried_until = {name: gate.tried_until for name, gate in locked.items()}
        self._slots: list[tuple[str, int, int, float]] = []
        self._used: defaultdict[str, int] = defaultdict(int)
        self._queued_until = {name: gate.queued_until for name, gate in locked.items()}

    def count_slots(self, coming: Sequence[Due]) -> None:
        """How many slots others have. What these had belongs to earlier takings, which are over."""
        counted = [name for name, gate in self._gates.items() if gate.at_once]
        if not counted:
            return
        sql.find_many(
            "DELETE FROM workflows_slot WHERE (flow_id, number) IN (SELECT v.f, v.n FROM v)"
            " RETURNING number",
            "f, n",
            [one.place for one in coming],
        )
        marks = ", ".join(["%s"] * len(counted))
        self._used.update(
            sql.fetch(
                f"SELECT gate, COUNT(*) FROM workflows_slot WHERE gate IN ({marks})"
                " AND until > %s GROUP BY gate",
                (*counted, self._now),
            )
        )

    def ask(self, names: Sequence[str]) -> Later | None:
        """None when all these gates let one through now; else when to ask again."""
        later = [later for later in map(self._ask, names) if later is not None]
        return max(later) if later else None

    def _ask(self, name: str) -> Later | None:
        gate = self._gates[name]
        shut_until = self._shut_until(name)
        if shut_until is not None:
            return Later(shut_until)
        if gate.at_once and self._used[name] >= gate.at_once:
            step = _BUSY_SECONDS / gate.at_once
            return Later(self._queue(name, self._now + _BUSY_SECONDS, step), name)
        if gate.per_second and self._next_at[name] > self._now:
            return Later(self._queue(name, self._next_at[name], 1 / gate.per_second))
        return None

    def _shut_until(self, name: str) -> float | None:
        """When to ask again at a breaker that lets nothing through now; None at others."""
        gate = self._gates[name]
        if gate.opened_at is None:
            return None
        if gate.retry_at > self._now:
            return gate.retry_at
        if self._tried_until[name] > self._now:
            return min(self._tried_until[name], self._now + PROBE_SECONDS)
        return None

    def shut(self) -> list[Shut]:
        """The destinations that nothing more goes to now."""
        return [
            Shut(gate.workspace_id, gate.destination, until)
            for name, gate in self._gates.items()
            if (until := self._shut_until(name)) is not None
        ]

    def _queue(self, name: str, first: float, step: float) -> float:
        """Each gets a moment of its own: what waits must not come back together and stand before
        what may go."""
        behind = min(self._queued_until[name] + step, self._now + _LONGEST_WAIT_SECONDS)
        self._queued_until[name] = max(first, behind)
        return self._queued_until[name]

    def enter(self, names: Sequence[str], one: Due, out: Sorted) -> None:
        """Note that it has passed, with a slot or as a try where that is so."""
        until = self._now + one.timeout_seconds + EFFECT_MARGIN_SECONDS  # as the effect's lease
        for name in names:
            gate = self._gates[name]
            if gate.opened_at is not None:
                self._tried_until[name] = until
                out.probes.add(one.place)
            if gate.at_once:
                self._used[name] += 1
                self._slots.append((name, *one.place, until))
                out.slotted.add(one.place)
            if gate.per_second:
                earliest = max(self._next_at[name], self._now - BURST_SECONDS)
                self._next_at[name] = earliest + 1 / gate.per_second

    def write(self) -> None:
        """Keep what has changed."""
        sql.update_many(
            "workflows_gate",
            "next_at = v.next_at, queued_until = v.queued_until, tried_until = v.tried_until",
            "name, next_at, queued_until, tried_until",
            "workflows_gate.name = v.name",
            [
                (name, *after)
                for name, gate in sorted(self._gates.items())
                if (after := self._times(name))
                != (gate.next_at, gate.queued_until, gate.tried_until)
            ],
        )
        sql.insert_many("workflows_slot", "gate, flow_id, number, until", self._slots)

    def _times(self, name: str) -> tuple[float, float, float]:
        return self._next_at[name], self._queued_until[name], self._tried_until[name]
