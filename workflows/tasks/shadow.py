"""How does a shadow run get on? It plays a batch, compares it with what happened live, and commits.

What it writes are traces under the replay's own run number, its memory and its differences: nothing
that a live run reads, no counter, no effect, and no event.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec
import orjson

from workflows.engine.plan import Plan
from workflows.storage import dbclock, replaywork, runs, shadows, sql
from workflows.storage.commit import commit
from workflows.storage.cursors import Reader
from workflows.storage.parts import FlowCommit, TraceRef
from workflows.storage.ranges import Batch
from workflows.storage.replaywork import Job
from workflows.storage.shadows import Hold, Kept, Live, NewDifference, Steps
from workflows.storage.sql import column
from workflows.storage.stored import Stored, read_one
from workflows.tasks.context import Publisher, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce
from workflows.tasks.stage import Memory, Stage
from workflows.traces.compare import compare
from workflows.traces.recorder import Root, Setting, first_commit, later_commit

_HOLDS = 500  # taken over into one batch
_MOST_LATE = 100_000  # batches after the last event let go so many; then what waits stays open
_LATE = "late"

Places = dict[tuple[int, int], Live]


def rehearse(job: Job, reader: Reader, plan: Plan, batch: Batch, now: float) -> Job:
    """Play one batch, and commit it with how far the replay got."""
    rows, ends = batch.rows[: batch.ready], not job.unread
    until = rows[-1].accepted_at if rows else None
    holds = shadows.held(job.id, until, _HOLDS) if rows or ends else []
    if len(holds) == _HOLDS:  # there may be more: play up to the last of these
        until = holds[-1].due_at
        rows = list(takewhile(lambda row: row.accepted_at <= until, rows))  # no gap: clocks differ
    roots, index = _roots(job, reader, rows, holds)
    lives = shadows.live_of(job.flow_id, reader.channel_id, reader.node, list(index))
    stage = Stage(plan, Memory(job.id, job.clock), roots, lives)
    for hold in holds:
        stage.put(hold, index[hold.partition, hold.offset])
    for root in range(len(rows)):
        stage.enter(reader.node, root)
    if until is not None:
        stage.advance(until)
    elif ends:
        stage.run_out()
    late = job.outcomes.get(_LATE, 0) + (len(holds) + 1 if ends else 0)
    is_over = ends and (late > _MOST_LATE or (stage.is_empty and len(holds) < _HOLDS))
    after = msgspec.structs.replace(
        job,
        unread=batch.left(job.unread, len(rows)),
        done=job.done + len(rows),
        clock=stage.memory.now,
        outcomes={**job.outcomes, **({_LATE: late} if late else {})},
        due_at=job.after(len(rows), now),
        moved_at=now,
        state="done" if is_over else "running",
    )
    return _commit(job, after, reader, stage, len(rows), lives)


def _roots(
    job: Job, reader: Reader, rows: Sequence[Stored], holds: Sequence[Hold]
) -> tuple[list[Root], dict[tuple[int, int], int]]:
    """The traces of the rows, then those that the holds belong to; and which is where."""
    number = runs.number(job.mode, job.id)
    found = {(row.partition, row.offset): row for row in rows}
    for hold in holds:
        place = hold.partition, hold.offset
        if place not in found:
            row = read_one(reader.channel_id, *place)
            if row is None:
                raise LookupError(f"the event at partition {place[0]}, offset {place[1]} is gone")
            found[place] = row
    roots = [
        Root(
            ref=TraceRef(job.subscription_id, *place, number),
            event=event_of(row.body, row.accepted_at),
            channel_id=reader.channel_id,
            type=row.type,
            key=row.key,
        )
        for place, row in found.items()
    ]
    return roots, {place: index for index, place in enumerate(found)}


def _commit(job: Job, after: Job, reader: Reader, stage: Stage, fresh: int, lives: Places) -> Job:
    now = dbclock.now()
    publisher = Publisher(reader.workspace_id)
    setting = Setting(job.flow_id, job.version_id, stage.plan, now, owner(), publisher)
    earlier = [
        msgspec.structs.replace(root, closed=stage.closed[fresh + index])
        for index, root in enumerate(stage.roots[fresh:])
    ]
    first = first_commit(setting, stage.roots[:fresh], stage.walk_of(0, fresh), [])
    later = later_commit(setting, earlier, stage.walk_of(fresh, len(stage.roots)), [])
    part = FlowCommit(flow_id=job.flow_id, traces=first.traces, changes=later.changes)
    differences, outcomes = _judge(stage, part, lives, after.outcomes)
    after = msgspec.structs.replace(after, outcomes=outcomes)
    kept = Kept(
        stage.memory.changes, stage.released, [hold for _, hold in stage.waiting], differences
    )
    with sql.write():
        replaywork.move(job, after, keep=after.state == "running")
        landed = commit([part], owner(), now)
        shadows.keep(job.id, kept)
        if after.state == "done":
            replaywork.forget_memory(job.id)
    announce(landed, [part], publisher.channel_ids)
    return after


def _judge(
    stage: Stage, part: FlowCommit, lives: Places, before: dict[str, int]
) -> tuple[list[NewDifference], dict[str, int]]:
    """Compare the traces that have ended with this commit; what to tell of each, and the counts."""
    outcomes = dict(before)
    differences: list[NewDifference] = []
    for index, steps in _ended(stage, part):
        root = stage.roots[index]
        place = root.ref.partition, root.ref.offset
        live = lives.get(place)
        if live is None:
            outcomes["new"] = outcomes.get("new", 0) + 1
            continue
        if not live.ended:
            continue
        verdict = compare(live.steps, steps, stage.plan.order)
        assumed = index in stage.assumed
        for name in (verdict.kind, *(["assumed"] if assumed else [])):
            outcomes[name] = outcomes.get(name, 0) + 1
        kept = outcomes.get("different", 0) + outcomes.get("content", 0)
        if verdict.kind == "same" or kept > shadows.MOST_DIFFERENCES:
            continue
        differences.append(
            NewDifference(
                kind=verdict.kind,
                node=verdict.node,
                live=column(verdict.live, 200),
                shadow=column(verdict.shadow, 200),
                detail=column(verdict.detail, 300),
                trace=str(root.ref),
                live_trace=str(live.ref),
                event_id=column(root.event.id),
                type=root.type,
                key=root.key,
                assumed=assumed,
            )
        )
    return differences, outcomes


def _ended(stage: Stage, part: FlowCommit) -> list[tuple[int, Steps]]:
    """The roots whose traces have nothing open behind this commit, with all of their steps."""
    out: list[tuple[int, Steps]] = []
    for index, trace in enumerate(part.traces):
        if not trace.open:
            out.append((index, orjson.loads(trace.steps)["steps"]))
    fresh = len(part.traces)
    known = shadows.so_far([root.ref for root in stage.roots[fresh:]])
    for index, change in enumerate(part.changes, fresh):
        opened, steps = known[change.ref]
        if not opened + change.open:
            out.append((index, [*steps, *orjson.loads(change.steps)["steps"]]))
    return out
