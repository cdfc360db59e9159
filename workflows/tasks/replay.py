"""How does a replay get on? In slices like a drain's, which give way to the drains.

A slice takes the replay's lease and works for a short time in batches, each one commit: what the
events left behind, and how far the replay got, or neither.
"""

import logging
import time
from collections.abc import Iterable

import msgspec

from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.sizes import Overfull
from workflows.engine.walk import Arrival
from workflows.storage import backpressure, cursors, dbclock, ranges, replaywork, runs, sql
from workflows.storage.commit import commit
from workflows.storage.cursors import Reader
from workflows.storage.parts import Fenced, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.storage.ranges import Batch
from workflows.storage.replaywork import Job
from workflows.tasks import shadow
from workflows.tasks.asking import ask_for
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.5
_COUNTED = 100_000  # offsets a commit
_MESSAGE_SECONDS = 2.0  # then the timers have asked again


def replay_slice(replay_id: int) -> bool:
    """Work on a replay for at most a slice; whether it can go on at once."""
    end = time.monotonic() + SLICE_SECONDS
    job = replaywork.lease(replay_id, owner())
    try:
        while job is not None and job.state in ("counting", "running"):
            last = time.monotonic() > end
            if last:
                replaywork.release(job)
                return True
            job = _batch(job)
    except Fenced as fenced:
        logger.info("replay %d gave way: %s", replay_id, fenced)
    except PlanMissing as missing:
        assert job is not None
        replaywork.stumble(job, f"This version can't run: {missing}", for_good=True)
    except Exception as problem:
        assert job is not None
        says = f"{type(problem).__name__}: {problem}"
        for_good = replaywork.stumble(job, says, for_good=False)
        logger.exception("replay %d %s", replay_id, "failed" if for_good else "stumbled")
    return False


def _batch(job: Job) -> Job | None:
    """One commit's worth; the replay as it is then, None when it must wait."""
    if job.state == "counting":
        return _count(job)
    reader = cursors.reader(job.subscription_id)
    if reader is None:
        raise PlanMissing("its subscription was deleted")
    plan = load_plan(job.version_id)
    if reader.node not in plan.nodes:
        raise PlanMissing(f"it has no producer {reader.node}")
    now = sql.database_now()
    allowed = replaywork.turn(job, runs.number(job.mode, job.id), now)
    if job.mode != "shadow":
        onward = backpressure.targets(plan, reader.node)
        allowed = max(0, min(allowed, backpressure.room(reader, onward).events))
    if not allowed or job.due_at > now:
        replaywork.release(job, max(job.due_at, now + (0.0 if allowed else replaywork.PAUSE)))
        return None
    batch = ranges.read(reader.channel_id, job.selection, job.unread, allowed)
    act = shadow.rehearse if job.mode == "shadow" else _take
    return act(job, reader, plan, batch, now)


def _count(job: Job) -> Job:
    channel_id = cursors.channel_of(job.subscription_id)
    found, left = ranges.count(channel_id, job.selection, job.uncounted, _COUNTED)
    after = msgspec.structs.replace(
        job,
        total=job.total + found,
        uncounted=left,
        state="counting" if left else "running",
    )
    replaywork.move(job, after, keep=True)
    return after


def _take(job: Job, reader: Reader, plan: Plan, batch: Batch, now: float) -> Job:
    """Let the flow take these events again: effects follow, as they do after a drain."""
    number = runs.number(job.mode, job.id)
    rows = batch.rows[: batch.ready]
    roots = [
        Root(
            ref=TraceRef(job.subscription_id, row.partition, row.offset, number),
            event=event_of(row.body, row.accepted_at),
            channel_id=reader.channel_id,
            type=row.type,
            key=row.key,
        )
        for row in rows
    ]
    unread = batch.left(job.unread, len(rows))
    after = msgspec.structs.replace(
        job,
        unread=unread,
        done=job.done + len(rows),
        due_at=job.after(len(rows), now),
        moved_at=now,
        state="running" if unread else "done",
    )
    while True:
        try:
            _run(job, after, reader, plan, roots)
        except Stale:
            continue  # another walk changed a memory that this one had read: decide again
        except Overfull:
            return _take(job, reader, plan, batch._replace(ready=len(rows) // 2), now)
        return after


def _run(job: Job, after: Job, reader: Reader, plan: Plan, roots: list[Root]) -> None:
    named = runs.occurring(plan, runs.number(job.mode, job.id))
    surroundings = Surroundings(job.flow_id)
    walk = run(
        named,
        surroundings,
        arrivals=[Arrival(i, reader.node, root.event) for i, root in enumerate(roots)],
        bounded=True,
    )
    now = dbclock.now()
    publisher = Publisher(reader.workspace_id)
    setting = Setting(job.flow_id, job.version_id, named, now, owner(), publisher)
    part = first_commit(setting, roots, walk, [False] * len(walk.asks))
    part.minutes = {}  # the rates are those of live events
    part.state_read = surroundings.versions
    with sql.write():
        replaywork.move(job, after, keep=after.state == "running")
        landed = commit([part], owner(), now)
    if walk.asks:
        performer().look()
    announce(landed, [part], publisher.channel_ids)


def ask(replay_ids: Iterable[int]) -> None:
    """Ask for a slice of each. Never raises: the next tick finds what still waits."""
    from workflows.tasks.jobs import replay

    for replay_id in replay_ids:
        if not ask_for(replay, replay_id, seconds=_MESSAGE_SECONDS):
            return
