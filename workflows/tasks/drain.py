"""How does a subscription's backlog become traces? Slice by slice, each one commit.

A drain takes the leases of all partitions with unread events, reads up to `BATCH` events, runs the
plan and commits. Effects are performed after that commit, by the process's performer.
"""

import logging
import time

from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.walk import Arrival
from workflows.storage import backpressure, cursors, dbclock, log
from workflows.storage.commit import commit
from workflows.storage.cursors import Leased, Reader
from workflows.storage.parts import CursorMove, Fenced, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.tasks import nudge
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.tasks.settle import admit, start_admitted
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

BATCH = 500  # events a commit
SLICE_SECONDS = 0.5  # then other flows get their turn
LEASE_SECONDS = 10.0
_SLOW_SECONDS = 1.0  # a batch that takes longer is made smaller, lest it outlive its lease
_batch_sizes: dict[int, int] = {}  # by subscription, where smaller than BATCH


def drain_slice(subscription_id: int) -> bool:
    """Work on the backlog for at most a slice; whether some is left."""
    nudge.clear(subscription_id)
    reader = cursors.reader(subscription_id)
    if reader is None or reader.paused or reader.state == "closed":
        return False
    try:
        plan = load_plan(reader.version_id)
    except PlanMissing as missing:
        logger.error("flow %s cannot run, its events wait: %s", reader.flow, missing)
        return False
    onward = backpressure.targets(plan, reader.node)
    room = backpressure.room(reader, onward)
    if room.is_full:
        return False  # the sweep asks again
    leased = cursors.lease(reader, owner(), LEASE_SECONDS)
    end = time.monotonic() + SLICE_SECONDS
    try:
        while leased:
            last = time.monotonic() > end
            if last:
                cursors.release(subscription_id, owner())
                return True
            leased = _batch(reader, plan, leased, room.events)
            room = backpressure.room(reader, onward)
            if room.is_full:
                cursors.release(subscription_id, owner())
                return False
    except Fenced as fenced:
        _shrink(subscription_id)
        logger.info("drain of %s gave way: %s", reader.flow, fenced)
        return True
    return False


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


def _batch(reader: Reader, plan: Plan, leased: list[Leased], most: int = BATCH) -> list[Leased]:
    """Take one batch of at most so many events; the partitions that have more."""
    size = min(most, _batch_sizes.get(reader.subscription_id, BATCH))
    share = max(1, size // len(leased))
    roots: list[Root] = []
    moves: list[CursorMove] = []
    more: list[Leased] = []
    for one in leased[:size]:
        limit = share if one.stop is None else min(share, one.stop - one.position)
        rows = log.read(reader.channel_id, one.partition, one.position, limit)
        if not rows:
            moves.append(CursorMove(one.partition, one.epoch, one.position, 0.0))
            continue
        roots += [_root(reader, row) for row in rows]
        position = rows[-1].offset + 1
        again = len(rows) == share and position != one.stop
        moves.append(
            CursorMove(one.partition, one.epoch, position, LEASE_SECONDS if again else 0.0)
        )
        if again:
            more.append(one._replace(position=position))
    begun = time.monotonic()
    while True:
        try:
            _take(reader, plan, roots, moves)
            break
        except Stale:
            continue  # another walk changed a memory that this one had read: decide again
    if time.monotonic() - begun > _SLOW_SECONDS:
        _shrink(reader.subscription_id)
    else:
        _grow(reader.subscription_id)
    return more + leased[size:]


def _root(reader: Reader, row: log.Stored) -> Root:
    return Root(
        ref=TraceRef(reader.subscription_id, row.partition, row.offset),
        event=event_of(row.body, row.accepted_at),
        channel_id=reader.channel_id,
        type=row.type,
        key=row.key,
    )


def _take(reader: Reader, plan: Plan, roots: list[Root], moves: list[CursorMove]) -> None:
    """Run the plan on the roots and commit; then hand over the effects."""
    surroundings = Surroundings(reader.flow_id)
    walk = run(
        plan,
        surroundings,
        arrivals=[Arrival(i, reader.node, root.event) for i, root in enumerate(roots)],
    )
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
