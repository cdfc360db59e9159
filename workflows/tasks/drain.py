"""How does a subscription's backlog become traces? Slice by slice, each one commit.

A drain reads up to `BATCH` events, runs the plan and commits, unless somebody else has read them
meanwhile. What it can't take at once it leases first, so that others don't work on it in vain.
Effects are performed after that commit, by the process's performer.
"""

import contextlib
import logging
import time

from django.db import DatabaseError, OperationalError

from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.sizes import MOST_OF_RUN, Overfull
from workflows.engine.walk import Arrival
from workflows.storage import backpressure, cursors, dbclock, log
from workflows.storage.commit import commit
from workflows.storage.cursors import Reader, Unread
from workflows.storage.parts import CursorMove, Fenced, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.tasks import crashes, nudge
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.tasks.settle import admit, start_admitted
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

BATCH = 500  # events a commit
SLICE_SECONDS = 0.5  # then other flows get their turn
LEASE_SECONDS = 10.0
_MOST_LEASED = 4  # partitions: the others are for other workers
# A message costs as much as ten events: after a batch of so many, look again before asking for one.
_BUSY, _LOOKS, _PAUSE_SECONDS = 8, 3, 0.001
_SLOW_SECONDS = 1.0  # a batch that takes longer is made smaller, lest it outlive its lease
_batch_sizes: dict[int, int] = {}  # by subscription, where smaller than BATCH


def drain_slice(subscription_id: int) -> bool:
    """Work on the backlog for about a slice; whether there may be some left.

    While this works nobody needs to nudge. What came in after the last look, but before nudges got
    through again, it has to look for itself.
    """
    end = time.monotonic() + SLICE_SECONDS
    is_left = _drain(subscription_id, end)
    nudge.clear(subscription_id)
    return is_left or _drain(subscription_id, end)


def _drain(subscription_id: int, end: float) -> bool:
    """Take batch after batch, until nothing is left or `end` (monotonic) has passed."""
    looks = 0  # to come, in which a busy subscription may have something again
    try:
        while True:
            backlog = cursors.unread(subscription_id, owner())
            if backlog is None:
                if not looks:
                    return False
                looks -= 1
                time.sleep(_PAUSE_SECONDS)
                continue
            reader, parts = backlog
            plan = load_plan(reader.version_id)
            room = backpressure.room(reader, backpressure.targets(plan, reader.node))
            if room.is_full:
                cursors.release(subscription_id, owner())
                return False  # the sweep asks again
            most = min(room.events, _batch_sizes.get(subscription_id, BATCH))
            leased = [part for part in parts if part.is_leased]
            suspects = crashes.suspects(parts)
            if not leased and (suspects or most < BATCH or _is_large(parts, most)):
                _lease(subscription_id, suspects[:1] or parts)
                continue
            if suspects and suspects[0].is_leased:
                _batch_sizes[subscription_id] = most = 1
                leased = suspects[:1]
            taken = _batch(reader, plan, leased or parts, most)
            looks = _LOOKS if taken >= _BUSY else 0
            if time.monotonic() > end:
                cursors.release(subscription_id, owner())
                return True
    except PlanMissing as missing:
        logger.error("subscription %s can't be read, its events wait: %s", subscription_id, missing)
    except (Fenced, Overfull) as fenced:
        _shrink(subscription_id)
        cursors.release(subscription_id, owner())  # whoever comes next may take the rest
        logger.info("drain of %s gave way: %s", subscription_id, fenced)
        return True
    except OperationalError:  # the database's trouble isn't held against the events
        with contextlib.suppress(DatabaseError):
            cursors.release(subscription_id, owner())
        raise
    return False


def _is_large(parts: list[Unread], most: int) -> bool:
    return sum(part.end - part.position for part in parts) > most


def _lease(subscription_id: int, parts: list[Unread]) -> None:
    """Keep others from the partitions with the longest backlogs, and ask them for the rest."""
    longest = sorted(parts, key=lambda part: part.position - part.end)[:_MOST_LEASED]
    partitions = sorted(part.partition for part in longest)
    cursors.lease(subscription_id, partitions, owner(), LEASE_SECONDS)
    if len(longest) < len(parts):
        nudge.clear(subscription_id)
        nudge.nudge([subscription_id])


def _shrink(subscription_id: int) -> None:
    size = _batch_sizes.get(subscription_id, BATCH)
    _batch_sizes[subscription_id] = max(1, size // 4)


def _grow(subscription_id: int) -> None:
    if subscription_id in _batch_sizes:
        size = _batch_sizes[subscription_id] * 2
        if size >= BATCH:
            del _batch_sizes[subscription_id]
        else:
            _batch_sizes[subscription_id] = size


def _batch(reader: Reader, plan: Plan, parts: list[Unread], most: int) -> int:
    """Take at most so many of these events; how many it took. Raises `Fenced` if somebody else has
    taken some, `Overfull` if they are too large to be taken together."""
    share = max(1, most // len(parts))
    ends = [(part, min(part.end, part.position + share)) for part in parts[:most]]
    ranges = [(part.partition, part.position, end) for part, end in ends]
    rows = log.read_many(reader.channel_id, ranges)
    if len(rows) > 1 and sum(len(row.body) for row in rows) > MOST_OF_RUN:
        raise Overfull(f"{len(rows)} events are too large to be taken together")
    if not parts[0].is_leased and crashes.is_late(rows):
        _lease(reader.subscription_id, parts)
        return 0
    roots = [_root(reader, row) for row in rows]
    moves = [_move(part, end) for part, end in ends]
    begun = time.monotonic()
    while True:
        try:
            _take(reader, plan, roots, moves, parts[0].attempts)
            break
        except Stale:
            continue  # another walk changed a memory that this one had read: decide again
    if time.monotonic() - begun > _SLOW_SECONDS:
        _shrink(reader.subscription_id)
    else:
        _grow(reader.subscription_id)
    return len(roots)


def _move(part: Unread, end: int) -> CursorMove:
    seconds = LEASE_SECONDS if part.is_leased and end < part.end else 0.0
    return CursorMove(part.partition, part.epoch, part.position, end, seconds)


def _root(reader: Reader, row: log.Stored) -> Root:
    return Root(
        ref=TraceRef(reader.subscription_id, row.partition, row.offset),
        event=event_of(row.body, row.accepted_at),
        channel_id=reader.channel_id,
        type=row.type,
        key=row.key,
    )


def _take(
    reader: Reader, plan: Plan, roots: list[Root], moves: list[CursorMove], attempts: int
) -> None:
    """Run the plan on the roots and commit; then hand over the effects."""
    surroundings = Surroundings(reader.flow_id)
    events = [root.event for root in roots]
    if attempts >= crashes.MOST_LEASES:
        walk = crashes.give_up(reader.node, events, attempts)
    else:
        arrivals = [Arrival(i, reader.node, event) for i, event in enumerate(events)]
        walk = run(plan, surroundings, arrivals=arrivals, bounded=True)
    places = [(reader.flow_id, ask.arrival.node) for ask in walk.asks]
    admitted = admit(reader.flow_id, plan, walk) if places else []
    now = dbclock.now()
    publisher = Publisher(reader.workspace_id)
    setting = Setting(reader.flow_id, reader.version_id, plan, now, owner(), publisher)
    begun = time.monotonic()
    try:
        part = first_commit(setting, roots, walk, admitted)
        part.subscription_id = reader.subscription_id
        part.cursors = moves
        part.state_read = surroundings.versions
        landed = commit([part], owner(), now)
    except BaseException:
        if places:
            performer().room.leave(
                [place for place, good in zip(places, admitted, strict=True) if good]
            )
        raise
    if places:
        start_admitted(
            reader.flow_id,
            reader.version_id,
            roots,
            walk,
            admitted,
            landed[reader.flow_id].first_effect,
            begun,
        )
    announce(landed, [part], publisher.channel_ids)
