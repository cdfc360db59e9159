"""How does a subscription's backlog become traces? Slice by slice, each one commit.

A drain reads a batch of events, runs the plan and commits, unless somebody else has read them
meanwhile. What it takes next, and what it leases before, `choice.py` says.
Effects are performed after that commit, by the process's performer.
"""

import contextlib
import logging
import time
from enum import Enum, auto

from django.db import DatabaseError, OperationalError

from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.sizes import MOST_OF_RUN, Overfull
from workflows.engine.walk import Arrival, Walk
from workflows.storage import backpressure, cursors, dbclock, stored
from workflows.storage.commit import commit
from workflows.storage.cursors import Reader
from workflows.storage.parts import CursorMove, Fenced, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.storage.stored import Stored
from workflows.tasks import batches, choice, crashes, nudge
from workflows.tasks.calls import PATIENCE_SECONDS, Calls
from workflows.tasks.choice import Lease, Share, Soon, Take, Wait, choose
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, calls_ahead
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.5  # then other flows get their turn
LEASE_SECONDS = 10.0
# A message costs as much as ten events: after a batch of so many, look again before asking for one.
_BUSY, _LOOKS, _PAUSE_SECONDS = 8, 3, 0.001
_SOON_SECONDS = 0.005
sizes = batches.Sizes()


def drain_slice(subscription_id: int) -> bool:
    """Work on the backlog for about a slice; whether there may be some left.

    While this works nobody needs to nudge, and no other worker comes to the same few events. What
    came in after the last look, but before nudges got through again, it has to look for itself;
    unless somebody has been nudged just then, whose affair it is.
    """
    end = time.monotonic() + SLICE_SECONDS
    while (found := _drain(subscription_id, end)) is Rest.NONE:
        nudge.clear(subscription_id)
        if cursors.unread(subscription_id, owner()) is None or not nudge.claim(subscription_id):
            return False
    nudge.clear(subscription_id)
    return found is Rest.SOME


class Rest(Enum):
    """What a drain leaves behind."""

    NONE = auto()
    SOME = auto()  # perhaps
    STUCK = auto()  # can't be taken now: the sweep asks again


def _drain(subscription_id: int, end: float) -> Rest:
    """Take batch after batch, until nothing is left or `end` (monotonic) has passed."""
    try:
        return _work_off(subscription_id, end)
    except PlanMissing as missing:
        logger.error("subscription %s can't be read, its events wait: %s", subscription_id, missing)
        return Rest.STUCK
    except (Fenced, Overfull) as fenced:
        sizes.shrink(subscription_id)
        cursors.release(subscription_id, owner())  # whoever comes next may take the rest
        logger.info("drain of %s gave way: %s", subscription_id, fenced)
        return Rest.SOME
    except OperationalError:  # the database's trouble isn't held against the events
        with contextlib.suppress(DatabaseError):
            cursors.release(subscription_id, owner())
        raise


def _work_off(subscription_id: int, end: float) -> Rest:
    looks = 0  # to come, in which a busy subscription may have something again
    holds = False  # leases
    patient_until = time.monotonic() + PATIENCE_SECONDS  # while quick calls are under way
    while True:
        begun = time.monotonic()
        backlog = cursors.unread(subscription_id, owner())
        if backlog is None:
            if not looks:
                if holds:  # it was paused meanwhile
                    cursors.release(subscription_id, owner())
                return Rest.NONE
            looks -= 1
            time.sleep(_PAUSE_SECONDS)
            continue
        reader, parts = backlog
        plan = load_plan(reader.version_id)
        room = backpressure.room(reader, backpressure.targets(plan, reader.node))
        ahead = _ahead(reader, plan, begun > patient_until)
        match choose(parts, room.events, sizes.of(subscription_id), ahead):
            case Soon():
                time.sleep(_SOON_SECONDS)
            case Wait():
                cursors.release(subscription_id, owner())
                return Rest.STUCK
            case Lease() as wanted:
                _lease(subscription_id, wanted)
                holds = True
            case Take() as chosen:
                taken = take(reader, plan, chosen, begun)
                # What was too late to be taken was leased.
                holds = not taken or any(share.keeps_lease for share in chosen.shares)
                looks = _LOOKS if taken >= _BUSY else 0
                patient_until = time.monotonic() + PATIENCE_SECONDS
                if time.monotonic() > end:
                    cursors.release(subscription_id, owner())
                    return Rest.SOME


def _ahead(reader: Reader, plan: Plan, is_impatient: bool) -> int:
    """For how many events effects may be made before the commit. 0: for none yet. Negative: never,
    as what becomes of them might not come about again in just the same way, as others than the
    lease's holder decide about them, as a limit does, or as somebody answers slowly (ADR 23)."""
    calls = calls_ahead(reader.flow_id)
    if reader.expires or plan.ordered or plan.keeps_state or plan.has_limits or calls < 0:
        return -1
    if calls < choice.WORTH_AHEAD:
        return -1 if is_impatient else 0
    return sizes.ahead(reader.subscription_id, calls)


def _lease(subscription_id: int, wanted: Lease) -> None:
    """Keep others from these partitions, and ask them for the rest."""
    cursors.lease(subscription_id, wanted.partitions, owner(), LEASE_SECONDS, acting=wanted.acting)
    if wanted.leaves_some:
        nudge.clear(subscription_id)
        nudge.nudge([subscription_id])


def take(reader: Reader, plan: Plan, chosen: Take, looked: float = 0.0) -> int:
    """Read the events that were chosen and commit what becomes of them; how many they were. Those
    that are late are only leased. `looked` is the monotonic time before the backlog was asked for;
    if that was too long ago, nothing is called before the commit. Raises `Fenced` if somebody else
    has taken some, `Overfull` if they are too large to be taken together."""
    if chosen.is_test:
        sizes.begin_with_one(reader.subscription_id)
    first = chosen.shares[0].part
    rows = _read(reader.channel_id, chosen.shares)
    if not first.is_leased and crashes.is_late(rows):
        _lease(reader.subscription_id, choice.lease([share.part for share in chosen.shares]))
        return 0
    roots = [_root(reader, row) for row in rows]
    moves = [_move(share) for share in chosen.shares]
    begun = time.monotonic()
    while True:
        try:
            _commit(reader, plan, roots, moves, first.attempts, looked if chosen.acts else None)
            break
        except Stale:
            continue  # another walk changed a memory that this one had read: decide again
    sizes.went(reader.subscription_id, time.monotonic() - begun)
    return len(roots)


def _read(channel_id: int, shares: list[Share]) -> list[Stored]:
    ranges = [(part.partition, part.position, end) for part, end in shares]
    rows = stored.read(channel_id, ranges)
    if len(rows) > 1 and sum(len(row.body) for row in rows) > MOST_OF_RUN:
        raise Overfull(f"{len(rows)} events are too large to be taken together")
    return rows


def _move(share: Share) -> CursorMove:
    part, end = share
    seconds = LEASE_SECONDS if share.keeps_lease else 0.0
    return CursorMove(part.partition, part.epoch, part.position, end, seconds)


def _root(reader: Reader, row: Stored) -> Root:
    return Root(
        ref=TraceRef(reader.subscription_id, row.partition, row.offset),
        event=event_of(row.body, row.accepted_at),
        channel_id=reader.channel_id,
        type=row.type,
        key=row.key,
    )


def _commit(
    reader: Reader,
    plan: Plan,
    roots: list[Root],
    moves: list[CursorMove],
    attempts: int,
    leased: float | None,
) -> None:
    """Run the plan on the roots and commit; then hand over the effects. Those that are answered
    soon are made before, under a lease that was good at that (monotonic) moment."""
    surroundings = Surroundings(reader.flow_id)
    walk = _walk(reader.node, plan, surroundings, [root.event for root in roots], attempts)
    calls = Calls(reader.flow_id, reader.version_id, plan, roots, walk)
    sizes.note_calls(reader.subscription_id, len(roots), len(walk.asks))
    begun = time.monotonic()
    taken = dbclock.now()
    try:
        if leased is not None:
            calls.act(leased)
        now = dbclock.now()
        publisher = Publisher(reader.workspace_id)
        setting = Setting(reader.flow_id, reader.version_id, plan, now, owner(), publisher, taken)
        part = first_commit(setting, roots, calls.walk, calls.admitted, calls.replies)
        part.subscription_id = reader.subscription_id
        part.cursors = moves
        part.state_read = surroundings.versions
        landed = commit([part], owner(), now)
    except BaseException:
        calls.give_back()
        raise
    calls.begin(landed[reader.flow_id].first_effect, begun)
    announce(landed, [part], publisher.channel_ids)


def _walk(
    node: str, plan: Plan, surroundings: Surroundings, events: list[Event], attempts: int
) -> Walk:
    if attempts >= crashes.MOST_LEASES:
        return crashes.give_up(node, events, attempts)
    arrivals = [Arrival(i, node, event) for i, event in enumerate(events)]
    return run(plan, surroundings, arrivals=arrivals, bounded=True)
