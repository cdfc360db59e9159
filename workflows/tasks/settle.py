"""What becomes of replies to effects, and of held arrivals whose moment has come?

These are the later commits of a trace: the engine walks on from where the arrival was parked, and
what it decides is committed together with the end of the parked row.
"""

import time
from collections.abc import Sequence

import msgspec

from workflows.engine.effects import Effect, Reply, destination
from workflows.engine.event import Event
from workflows.engine.run import run
from workflows.engine.sizes import Overfull
from workflows.engine.walk import Arrival, Settlement, Walk
from workflows.storage import cursors, dbclock, runs
from workflows.storage.commit import commit
from workflows.storage.parts import Fenced, FlowCommit, Stale, Taken, TraceRef
from workflows.storage.plans import load_plan
from workflows.tasks.calls import Calls
from workflows.tasks.context import Publisher, Surroundings
from workflows.tasks.inhand import InFlight
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
                earlier.calls.give_back()
            raise
        parts.append(walked.part)
        asked.append((walked.part, walked))
    merged = _merge(parts)
    begun = time.monotonic()
    try:
        landed = commit(merged, owner(), now)
    except BaseException:
        for _, walked in asked:
            walked.calls.give_back()
        raise
    numbers = {flow_id: where.first_effect for flow_id, where in landed.items()}
    for _, walked in asked:
        numbers[walked.flow_id] = walked.calls.begin(numbers[walked.flow_id], begun)
    if any(where.freed for where in landed.values()) or any(part.slots for part in merged):
        performer().look()
    channel_ids = {item.channel_id for part in merged for item in part.published}
    announce(landed, merged, channel_ids)


class _Group:
    """The walk of the parked arrivals of one flow version."""

    def __init__(self, flow_id: int, version_id: int, parked: Sequence[Parked], now: float) -> None:
        self.flow_id = flow_id
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
        self.calls = Calls(flow_id, version_id, plan, self._roots, self._walk)
        workspace_id = cursors.workspace_of(flow_id)
        setting = Setting(flow_id, version_id, plan, now, owner(), Publisher(workspace_id))
        replies = {
            (i, one.arrival.path): one.settled[1]
            for i, one in enumerate(parked)
            if one.settled is not None
        }
        self.part = later_commit(setting, self._roots, self._walk, self.calls.admitted, replies)
        self.part.state_read = surroundings.versions
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
