"""Which taken effects may go out now? Limits of nodes and destinations, and open breakers.

Asked within the transaction that takes effects: a gate's row is locked until that commits, so all
worker processes together keep a limit. What may not go yet gets a later due time.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from workflows.engine.limits import Limits
from workflows.storage import sql

PROBE_SECONDS = 2.0  # while one effect tries a destination, the others look again so often
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
_BUSY_SECONDS = 0.05  # when to look again for a slot
_BURST_SECONDS = 0.5  # what a rate didn't use of this time may go out together
_MOST_GATES = 1_000


class Due(NamedTuple):
    """An effect that was due and is taken."""

    flow_id: int
    number: int
    version_id: int
    node: str
    workspace_id: int
    destination: str
    timeout_seconds: float


class Gate(NamedTuple):
    """A gate as it stands in the database."""

    name: str
    workspace_id: int
    destination: str
    at_once: int
    per_second: float
    next_at: float
    opened_at: float | None
    retry_at: float
    pause_seconds: float
    error: str


class Sorted(NamedTuple):
    """What may go out, by (flow, number); the others with their new due times; who has a slot."""

    passed: list[Due]
    later: list[tuple[Due, float]]
    slotted: set[tuple[int, int]]


_COLUMNS = (
    "name, workspace_id, destination, at_once, per_second, next_at, opened_at, retry_at,"
    " pause_seconds, error"
)
LimitsOf = Callable[[int, str], Limits]  # (version, node)


def node_gate(flow_id: int, node: str) -> str:
    """Name of a limited node's gate."""
    return f"n:{flow_id}:{node}"


def destination_gate(workspace_id: int, destination: str) -> str:
    """Name of a destination's gate."""
    return f"d:{workspace_id}:{destination}"


def guarded() -> dict[str, bool]:
    """Names of the destinations' gates that limit or stop something, of all workspaces; whether
    their breaker is open."""
    rows = sql.fetch(
        "SELECT name, opened_at IS NOT NULL FROM workflows_gate WHERE destination <> ''"
        " AND (at_once > 0 OR per_second > 0 OR opened_at IS NOT NULL) LIMIT %s",
        (_MOST_GATES,),
    )
    return {name: bool(is_open) for name, is_open in rows}


def of_workspace(workspace_id: int, limit: int = 500) -> list[Gate]:
    """The destinations of a workspace that have a limit or a breaker's history."""
    rows = sql.fetch(
        f"SELECT {_COLUMNS} FROM workflows_gate WHERE workspace_id = %s AND destination <> ''"
        " ORDER BY destination LIMIT %s",
        (workspace_id, limit),
    )
    return [Gate(*row) for row in rows]


def set_limits(workspace_id: int, destination: str, limits: Limits) -> None:
    """Limit all that a workspace sends to a destination."""
    sql.execute(
        "INSERT INTO workflows_gate (name, workspace_id, destination, at_once, per_second,"
        " next_at, retry_at, pause_seconds, error) VALUES (%s, %s, %s, %s, %s, 0, 0, 0, '')"
        " ON CONFLICT (name) DO UPDATE SET at_once = excluded.at_once,"
        " per_second = excluded.per_second",
        (
            destination_gate(workspace_id, destination),
            workspace_id,
            destination,
            limits.at_once,
            limits.per_second,
        ),
    )


def open_breaker(workspace_id: int, destination: str, error: str) -> None:
    """Stop sending to a destination for a while; twice as long when the last try failed."""
    sql.execute(
        "INSERT INTO workflows_gate (name, workspace_id, destination, at_once, per_second,"
        " next_at, opened_at, retry_at, pause_seconds, error)"
        f" VALUES (%s, %s, %s, 0, 0, 0, {sql.now_sql()}, {sql.now_sql()} + %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET"
        " opened_at = COALESCE(workflows_gate.opened_at, excluded.opened_at),"
        " pause_seconds = CASE WHEN workflows_gate.opened_at IS NULL THEN excluded.pause_seconds"
        "  WHEN workflows_gate.pause_seconds * 2 < %s THEN workflows_gate.pause_seconds * 2"
        "  ELSE %s END,"
        f" retry_at = {sql.now_sql()} + CASE WHEN workflows_gate.opened_at IS NULL"
        "  THEN excluded.pause_seconds WHEN workflows_gate.pause_seconds * 2 < %s"
        "  THEN workflows_gate.pause_seconds * 2 ELSE %s END,"
        " error = excluded.error",
        (
            destination_gate(workspace_id, destination),
            workspace_id,
            destination,
            FIRST_PAUSE,
            FIRST_PAUSE,
            sql.column(error, 300),
            *[LONGEST_PAUSE] * 4,
        ),
    )


def close_breaker(workspace_id: int, destination: str) -> None:
    """Send again: the destination has answered, or somebody wants it tried now."""
    sql.execute(
        "UPDATE workflows_gate SET opened_at = NULL, retry_at = 0, pause_seconds = 0, error = ''"
        " WHERE name = %s AND opened_at IS NOT NULL",
        (destination_gate(workspace_id, destination),),
    )


def sort(due: Sequence[Due], limits_of: LimitsOf, now: float) -> Sorted:
    """Let through what may go out, in the order given. Locks the gates that are asked."""
    wanted: dict[Due, list[str]] = {}
    node_limits: dict[str, Limits] = {}
    for one in due:
        wanted[one] = [destination_gate(one.workspace_id, one.destination)]
        limits = limits_of(one.version_id, one.node)
        if limits:
            name = node_gate(one.flow_id, one.node)
            node_limits[name] = limits
            wanted[one].append(name)
    gates = _lock({name for names in wanted.values() for name in names}, node_limits)
    passage = _Passage(gates, now)
    out = Sorted([], [], set())
    for one in due:
        names = [name for name in wanted[one] if name in gates]
        later = passage.ask(names)
        if later is None:
            if passage.enter(names, one):
                out.slotted.add((one.flow_id, one.number))
            out.passed.append(one)
        else:
            out.later.append((one, later))
    passage.write()
    return out


def leave(flow_id: int, numbers: Sequence[int]) -> None:
    """Give back the slots of effects that were answered."""
    if numbers:
        marks = ", ".join(["%s"] * len(numbers))
        sql.execute(
            f"DELETE FROM workflows_slot WHERE flow_id = %s AND number IN ({marks})",
            (flow_id, *numbers),
        )


def _lock(names: set[str], node_limits: dict[str, Limits]) -> dict[str, Gate]:
    """The rows of these gates, locked in order of their names; a limited node's is made."""
    for name in sorted(node_limits):
        sql.execute(
            "INSERT INTO workflows_gate (name, workspace_id, destination, at_once, per_second,"
            " next_at, retry_at, pause_seconds, error) VALUES (%s, 0, '', 0, 0, 0, 0, 0, '')"
            " ON CONFLICT (name) DO NOTHING",
            (name,),
        )
    if not names:
        return {}
    marks = ", ".join(["%s"] * len(names))
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    rows = sql.fetch(
        f"SELECT {_COLUMNS} FROM workflows_gate WHERE name IN ({marks}) ORDER BY name{lock}",
        sorted(names),
    )
    gates = [Gate(*row) for row in rows]
    return {gate.name: _with_limits(gate, node_limits.get(gate.name)) for gate in gates}


def _with_limits(gate: Gate, limits: Limits | None) -> Gate:
    if limits is None:
        return gate
    return gate._replace(at_once=limits.at_once, per_second=limits.per_second)


class _Passage:
    """The gates while effects pass them, one after another."""

    def __init__(self, gates: dict[str, Gate], now: float) -> None:
        self._gates, self._now = gates, now
        self._next_at = {name: gate.next_at for name, gate in gates.items()}
        self._probing: set[str] = set()
        self._slots: list[tuple[str, int, int, float]] = []
        self._used: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, int] = defaultdict(int)
        counted = [name for name, gate in gates.items() if gate.at_once]
        if counted:
            marks = ", ".join(["%s"] * len(counted))
            self._used.update(
                sql.fetch(
                    f"SELECT gate, COUNT(*) FROM workflows_slot WHERE gate IN ({marks})"
                    f" AND until > {sql.now_sql()} GROUP BY gate",
                    counted,
                )
            )

    def ask(self, names: Sequence[str]) -> float | None:
        """None when all these gates let one through now; else when to ask again."""
        later = [moment for moment in map(self._ask, names) if moment is not None]
        return max(later) if later else None

    def _ask(self, name: str) -> float | None:
        gate = self._gates[name]
        if gate.opened_at is not None:
            if gate.retry_at > self._now:
                return gate.retry_at
            if name in self._probing:
                return self._now + PROBE_SECONDS
        if gate.at_once and self._used[name] >= gate.at_once:
            return self._now + _BUSY_SECONDS
        if gate.per_second and self._next_at[name] > self._now:
            # Each gets a moment of its own, so that what waits doesn't all come back together.
            self._waiting[name] += 1
            return self._next_at[name] + (self._waiting[name] - 1) / gate.per_second
        return None

    def enter(self, names: Sequence[str], one: Due) -> bool:
        """Note that it has passed; whether it got a slot."""
        before = len(self._slots)
        for name in names:
            gate = self._gates[name]
            if gate.opened_at is not None:
                self._probing.add(name)
            if gate.at_once:
                self._used[name] += 1
                until = self._now + one.timeout_seconds + PROBE_SECONDS
                self._slots.append((name, one.flow_id, one.number, until))
            if gate.per_second:
                earliest = max(self._next_at[name], self._now - _BURST_SECONDS)
                self._next_at[name] = earliest + 1 / gate.per_second
        return len(self._slots) > before

    def write(self) -> None:
        """Keep what has changed."""
        for name in sorted(self._probing):
            sql.execute(
                "UPDATE workflows_gate SET retry_at = %s WHERE name = %s",
                (self._now + PROBE_SECONDS, name),
            )
        for name, gate in sorted(self._gates.items()):
            if self._next_at[name] != gate.next_at:
                sql.execute(
                    "UPDATE workflows_gate SET next_at = %s WHERE name = %s",
                    (self._next_at[name], name),
                )
        sql.insert_many(
            "workflows_slot",
            "gate, flow_id, number, until",
            self._slots,
            "ON CONFLICT (gate, flow_id, number) DO UPDATE SET until = excluded.until",
        )
