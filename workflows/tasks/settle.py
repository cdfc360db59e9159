"""What becomes of replies to effects, of held arrivals whose moment has come, and of due effects?

These are the later commits of a trace: the engine walks on from where the arrival was parked, and
what it decides is committed together with the end of the parked row.
"""

import time
from collections.abc import Iterable, Sequence

import msgspec

from workflows.engine.effects import OUTSIDE, Effect, Reply, destination
from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.sizes import Overfull
from workflows.engine.walk import Arrival, Settlement, Walk
from workflows.storage import cursors, dbclock, recorded, runs, sql, work
from workflows.storage.commit import commit
from workflows.storage.parts import Fenced, FlowCommit, Stale, Taken, TraceRef
from workflows.storage.plans import load_plan
from workflows.storage.stored import read_at
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.gating import free_to_go, hold_back
from workflows.tasks.inhand import InFlight, Where
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, breakers, performer
from workflows.traces.recorder import Root, Setting, later_commit, retries

_decode_effect = msgspec.json.Decoder(Effect).decode


class Parked(msgspec.Struct, frozen=True):
    """A parked row that is to be ended: a settled effect, or a released held arrival."""

    flow_id: int
    taken: Taken
    version_id: int
    root: Root
    arrival: Arrival
    settled: tuple[Effect, Reply, int] | None = None  # effect, its reply, attempt
    since: float = 0.0  # when its first call was due
    has_slot: bool = False
    due: float = 0.0


def settle(batch: Sequence[tuple[InFlight, Reply]]) -> None:
    """Commit the outcome of each reply; those whose lease was lost are dropped."""
    for flight, reply in batch:
        workspace_id = cursors.workspace_of(flight.flow_id)
        if flight.known is None:  # else the world wasn't asked
            breakers().note(workspace_id, destination(flight.effect), reply, flight.is_probe)
    end_parked(
        [
            Parked(
                flow_id=flight.flow_id,
                taken=Taken(flight.number, flight.attempt),
                version_id=flight.version_id,
                root=parked_root(flight.ref, flight.origin, flight.channel_id, flight.lane),
                arrival=flight.arrival,
                settled=(flight.effect, reply, flight.attempt),
                since=flight.since,
                has_slot=flight.has_slot,
            )
            for flight, reply in batch
        ]
    )


def parked_root(ref: TraceRef, origin: Event, channel_id: int, lane: str | None) -> Root:
    """The trace of a row that is parked, of which this commit ends one."""
    return Root(ref, origin, channel_id, key=lane or "", closed=1)


def end_parked(parked: Sequence[Parked]) -> None:
    """Walk on from parked arrivals and commit. What another process has taken over is left to it:
    the rest is walked again without it."""
    for number in sorted({runs.together(one.root.ref.run) for one in parked}):
        _end_together([one for one in parked if runs.together(one.root.ref.run) == number])


def _end_together(left: list[Parked]) -> None:
    while left:
        try:
            _end(left)
        except Stale:
            continue  # another walk changed the state this one had read: decide again
        except Fenced as fenced:
            left = [one for one in left if (one.flow_id, one.taken) not in fenced.lost]
        except Overfull:
            half = len(left) // 2
            _end_together(left[:half])
            left = left[half:]
        else:
            return


def _end(parked: Sequence[Parked]) -> None:
    now = dbclock.now()
    by_version: dict[tuple[int, int], list[Parked]] = {}
    for one in parked:
        by_version.setdefault((one.flow_id, one.version_id), []).append(one)
    parts: list[FlowCommit] = []
    asked: list[tuple[FlowCommit, _Group]] = []
    for (flow_id, version_id), group in by_version.items():
        try:
            walked = _Group(flow_id, version_id, group, now)
        except Overfull:
            for _, earlier in asked:
                earlier.give_back()
            raise
        parts.append(walked.part)
        asked.append((walked.part, walked))
    merged = _merge(parts)
    begun = time.monotonic()
    try:
        landed = commit(merged, owner(), now)
    except BaseException:
        for _, walked in asked:
            walked.give_back()
        raise
    numbers = {flow_id: where.first_effect for flow_id, where in landed.items()}
    for _, walked in asked:
        numbers[walked.flow_id] = walked.begin(numbers[walked.flow_id], begun)
    if any(where.freed for where in landed.values()) or any(part.slots for part in merged):
        performer().look()
    channel_ids = {item.channel_id for part in merged for item in part.published}
    announce(landed, merged, channel_ids)


class _Group:
    """The walk of the parked arrivals of one flow version."""

    def __init__(self, flow_id: int, version_id: int, parked: Sequence[Parked], now: float) -> None:
        self.flow_id, self._version_id = flow_id, version_id
        number = runs.together(parked[0].root.ref.run)
        plan = runs.occurring(load_plan(version_id), number)
        self._roots = [one.root for one in parked]
        arrivals = [
            msgspec.structs.replace(one.arrival, root=i, fresh=False)
            for i, one in enumerate(parked)
        ]
        surroundings = Surroundings(flow_id)
        self._walk: Walk = run(
            plan,
            surroundings,
            settlements=[
                Settlement(arrival, *one.settled, one.since)
                for arrival, one in zip(arrivals, parked, strict=True)
                if one.settled is not None
            ],
            released=[
                (arrival, one.due)
                for arrival, one in zip(arrivals, parked, strict=True)
                if one.settled is None
            ],
            bounded=True,
        )
        asks = self._walk.asks  # those of a replay wait for their turn behind live ones
        self._admitted = [False] * len(asks) if number else admit(flow_id, plan, self._walk)
        workspace_id = cursors.workspace_of(flow_id)
        setting = Setting(flow_id, version_id, plan, now, owner(), Publisher(workspace_id))
        self.part = later_commit(setting, self._roots, self._walk, self._admitted)
        self.part.state_read = surroundings.versions
        replies = [one.settled[1] if one.settled else None for one in parked]
        recorded.note(self.part, plan, self._walk, replies)
        self.part.retries = retries(
            self._walk,
            {(i, one.arrival.path): one.taken for i, one in enumerate(parked)},
        )
        again = {retry.taken for retry in self.part.retries}
        self.part.settled = [
            one.taken for one in parked if one.settled is not None and one.taken not in again
        ]
        self.part.slots = [one.taken.number for one in parked if one.has_slot]
        self.part.released = [one.taken for one in parked if one.settled is None]

    def give_back(self) -> None:
        """Free the places of effects that weren't committed after all."""
        performer().room.leave(
            [
                (self.flow_id, ask.arrival.node)
                for ask, good in zip(self._walk.asks, self._admitted, strict=True)
                if good
            ]
        )

    def begin(self, first: int, begun: float) -> int:
        """Start the admitted effects, whose rows begin at number `first`; the next free number."""
        return start_admitted(
            self.flow_id, self._version_id, self._roots, self._walk, self._admitted, first, begun
        )


def admit(flow_id: int, plan: Plan, walk: Walk) -> list[bool]:
    """For each effect of a walk, whether this process performs it right after the commit. Where
    order is kept, none: whose turn it is only the commit finds out. What a limit or a breaker may
    hold back is left to `take`, too."""
    if plan.ordered:
        return [False] * len(walk.asks)
    known = breakers()
    return performer().room.admit(
        [
            (flow_id, ask.arrival.node) if free_to_go(flow_id, plan, ask, known) else None
            for ask in walk.asks
        ]
    )


def start_admitted(
    flow_id: int,
    version_id: int,
    roots: Sequence[Root],
    walk: Walk,
    admitted: Sequence[bool],
    first: int,
    begun: float,
) -> int:
    """Hand committed effects to the performer; what wasn't admitted is left for it to take."""
    now = dbclock.now()
    performer().begin(
        [
            InFlight(
                flow_id=flow_id,
                number=first + i,
                version_id=version_id,
                ref=roots[ask.arrival.root].ref,
                channel_id=roots[ask.arrival.root].channel_id,
                origin=roots[ask.arrival.root].event,
                lane=None,
                since=now,
                arrival=ask.arrival,
                effect=ask.effect,
                key=ask.key,
                attempt=1,
                begun=begun,
            )
            for i, (ask, good) in enumerate(zip(walk.asks, admitted, strict=True))
            if good
        ]
    )
    if not all(admitted):
        performer().look()
    return first + len(walk.asks)


def _merge(parts: Sequence[FlowCommit]) -> list[FlowCommit]:
    """One part for each flow: versions of the same flow are committed together, in order."""
    out: dict[int, FlowCommit] = {}
    for part in parts:
        into = out.setdefault(part.flow_id, FlowCommit(flow_id=part.flow_id))
        into.changes = [*into.changes, *part.changes]
        into.effects = [*into.effects, *part.effects]
        into.settled = [*into.settled, *part.settled]
        into.slots = [*into.slots, *part.slots]
        into.retries = [*into.retries, *part.retries]
        into.held = [*into.held, *part.held]
        into.released = [*into.released, *part.released]
        into.dead = [*into.dead, *part.dead]
        into.answers = [*into.answers, *part.answers]
        into.published = [*into.published, *part.published]
        into.counters = _add(into.counters, part.counters)
        for minute, (events, dead) in part.minutes.items():
            before = into.minutes.get(minute, (0, 0))
            into.minutes = {**into.minutes, minute: (before[0] + events, before[1] + dead)}
        into.state = {**into.state, **part.state}
        into.state_read = {**into.state_read, **part.state_read}
    return list(out.values())


def _add(
    left: dict[tuple[str, int, str], int], right: dict[tuple[str, int, str], int]
) -> dict[tuple[str, int, str], int]:
    out = dict(left)
    for where, more in right.items():
        out[where] = out.get(where, 0) + more
    return out


def take(limit: int, busy: Iterable[Where]) -> tuple[list[InFlight], float | None]:
    """Take due effects from the database, ready to be performed; and when others, that limits
    and breakers hold back, are due again (Unix seconds)."""
    if not work.effects_due():
        return [], None
    begun = time.monotonic()
    with sql.write():
        rows = work.take_effects(owner(), limit, list(busy))
        known = {(row.flow_id, row.number): reply for row in rows if (reply := _known(row))}
        admitted = hold_back(rows, known)
    out = []
    stored = [(row.ref, row.event) for row in admitted.rows]
    for row, (event, origin, channel_id) in zip(admitted.rows, events_of(stored), strict=True):
        effect = _decode_effect(row.request)
        assert isinstance(effect, OUTSIDE)
        out.append(
            InFlight(
                flow_id=row.flow_id,
                number=row.number,
                version_id=row.version_id,
                ref=row.ref,
                channel_id=channel_id,
                origin=origin,
                lane=row.lane,
                arrival=Arrival(0, row.node, event, row.path, fresh=False),
                effect=effect,
                key=row.key,
                attempt=row.attempt,
                begun=begun,
                since=row.since,
                has_slot=(row.flow_id, row.number) in admitted.slotted,
                is_probe=(row.flow_id, row.number) in admitted.probes,
                known=known.get((row.flow_id, row.number)),
            )
        )
    if len(out) < len(rows) == limit:
        performer().look()  # others may stand behind those that were held back
    return out, admitted.again_at


def give_back(flights: Sequence[InFlight]) -> None:
    """Make due again what was taken and not called. What has a slot of a limit or tries a
    destination that is down comes due by itself, with that."""
    with sql.write():
        work.give_back_effects(
            owner(),
            [
                (flight.flow_id, flight.number, flight.attempt)
                for flight in flights
                if not flight.has_slot and not flight.is_probe
            ],
        )


def _known(row: work.TakenEffect) -> Reply | None:
    """For a replay that skips what is done: what the world answered when it was done."""
    found = runs.replay_of(row.ref.run)
    if found is None or found.mode != "skip_done":
        return None
    return recorded.done_before(row.ref, load_plan(row.version_id), row.node, row.path)


def release_due(limit: int = 500) -> int:
    """Walk on with held arrivals whose moment has come; how many there were."""
    rows = work.take_held(owner(), limit)
    parked = []
    events = events_of([(row.ref, row.event) for row in rows])
    for row, (event, origin, channel_id) in zip(rows, events, strict=True):
        parked.append(
            Parked(
                flow_id=row.flow_id,
                taken=Taken(row.number, row.attempt),
                version_id=row.version_id,
                root=parked_root(row.ref, origin, channel_id, row.lane),
                arrival=Arrival(0, row.node, event, row.path, fresh=False),
                due=row.until,
            )
        )
    end_parked(parked)
    return len(rows)


def events_of(
    parked: Sequence[tuple[TraceRef, bytes | None]],
) -> list[tuple[Event, Event, int]]:
    """For each parked row, by its trace and the event it stores (None: the trace's own): its
    event, the trace's own, and the channel that this lies in. Raises LookupError."""
    places = [
        (cursors.channel_of(ref.subscription_id), ref.partition, ref.offset) for ref, _ in parked
    ]
    found = read_at(places)
    out = []
    for (ref, stored), place in zip(parked, places, strict=True):
        row = found.get(place)
        if row is None:
            raise LookupError(f"event of trace {ref} is gone, though a parked row refers to it")
        origin = event_of(row.body, row.accepted_at)
        event = origin if stored is None else event_of(stored, row.accepted_at)
        out.append((event, origin, place[0]))
    return out
