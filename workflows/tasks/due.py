"""What is due, and how is it taken from the database? Effects to be called, and held arrivals."""

import time
from collections.abc import Iterable, Sequence

import msgspec

from workflows.engine.effects import OUTSIDE, Effect, Reply
from workflows.engine.event import Event
from workflows.engine.walk import Arrival
from workflows.storage import cursors, recorded, runs, sql, work
from workflows.storage.parts import Taken, TraceRef
from workflows.storage.plans import load_plan
from workflows.storage.stored import read_at
from workflows.tasks.context import event_of
from workflows.tasks.gating import hold_back
from workflows.tasks.inhand import InFlight, Where
from workflows.tasks.owner import owner
from workflows.tasks.process import performer
from workflows.tasks.settle import Parked, end_parked, parked_root

_decode_effect = msgspec.json.Decoder(Effect).decode


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
