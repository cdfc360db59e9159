"""How do dead letters run again? From the node where they died, each as a new run of its trace.

A letter at which workers may die is run alone, and noted before as one that couldn't be run: if
the process ends there, that is what it was, and the run goes on behind it.
"""

import contextlib
import logging
from itertools import takewhile
from zlib import crc32

import msgspec
import orjson
from django.db import DatabaseError

from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run as walk_on
from workflows.engine.walk import Arrival
from workflows.storage import cursors, dbclock, deadletters, redrivework
from workflows.storage.deadletters import Claimable
from workflows.storage.parts import Fenced, FlowCommit, NewTrace, Redriven, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.storage.redrivework import Lost, Progress, Run
from workflows.storage.sql import column
from workflows.storage.stored import read_one
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

_UNNOTED = Progress(skipped=-1)  # what was noted before a letter ran alone


def some_of(run: Run, letters: list[Claimable]) -> Run:
    """Commit those of these letters of one flow that go together; the run behind them."""
    for some in (letters, letters[:1]):  # one that breaks the walk must not stop the others
        try:
            return _run_again(run, some, Progress())
        except (DatabaseError, Lost):
            raise
        except Exception as problem:
            _warn(letters[0], problem)
    return redrivework.move(run._replace(position=letters[0].id), Progress(skipped=1))


def alone(run: Run, letter: Claimable) -> Run:
    """Commit one letter that may end this process; the run behind it."""
    noted = redrivework.begin_alone(run, letter.id)
    try:
        return _run_again(noted, [letter], _UNNOTED)
    except Lost:
        raise
    except DatabaseError:  # the database's trouble isn't held against the letter
        with contextlib.suppress(DatabaseError, Lost):
            redrivework.undo_alone(run, letter.id)
        raise
    except Exception as problem:
        _warn(letter, problem)
        return noted


def _warn(letter: Claimable, problem: Exception) -> None:
    logger.warning("dead letters from %d on can't be run: %s", letter.id, problem)


def _run_again(run: Run, letters: list[Claimable], also: Progress) -> Run:
    version_id, plan = _choose(run, letters[0])
    together = list(takewhile(lambda one: _choose(run, one)[0] == version_id, letters))
    while True:
        try:
            return _commit(run, plan, version_id, together, also)
        except Stale:
            continue  # another walk changed a memory, or took a run number: decide again
        except Fenced:
            together = deadletters.claim(run.workspace_id, [one.id for one in together])
            if not together:
                return redrivework.move(run._replace(position=letters[0].id), also)


def _choose(run: Run, letter: Claimable) -> tuple[int, Plan]:
    """The published version if it has the node, else the one that the letter died on. Raises
    `PlanMissing`."""
    if letter.published_id is not None and not run.as_failed:
        plan = load_plan(letter.published_id)
        if letter.node in plan.nodes:
            return letter.published_id, plan
    plan = load_plan(letter.failed_id)
    if letter.node not in plan.nodes:
        raise PlanMissing(f"no version has the node {letter.node}")
    return letter.failed_id, plan


def _commit(run: Run, plan: Plan, version_id: int, letters: list[Claimable], also: Progress) -> Run:
    """Run the letters again and commit: their new traces, and how far the run is."""
    flow_id = letters[0].flow_id
    roots, arrivals = [], []
    for index, (letter, ref) in enumerate(zip(letters, _refs(letters), strict=True)):
        root, event = _begin(letter, ref, run.edit)
        roots.append(root)
        arrivals.append(Arrival(index, letter.node, event, _path(letter, run.edit)))
    surroundings = Surroundings(flow_id)
    walk = walk_on(plan, surroundings, arrivals=arrivals)
    now = dbclock.now()
    publisher = Publisher(run.workspace_id)
    setting = Setting(flow_id, version_id, plan, now, owner(), publisher)
    part = first_commit(setting, roots, walk, [False] * len(walk.asks))
    part.minutes = {}  # these events were counted when they came
    part.state_read = surroundings.versions
    part.traces = [
        _marked(trace, run, letter) for trace, letter in zip(part.traces, letters, strict=True)
    ]
    part.redriven = [
        Redriven(letter.id, run.id, run.by, trace.ref.run, trace.state)
        for trace, letter in zip(part.traces, letters, strict=True)
    ]
    moved, landed = redrivework.commit_slice(
        run._replace(position=letters[-1].id), [part], owner(), now, _progress(part, also)
    )
    if walk.asks:
        performer().look()
    announce(landed, [part], publisher.channel_ids)
    return moved


def _progress(part: FlowCommit, also: Progress) -> Progress:
    failed = sum(trace.state == "failed" for trace in part.traces)
    running = sum(trace.state == "running" for trace in part.traces)
    taken = len(part.traces)
    return also._replace(done=taken, ok=taken - failed - running, failed=failed)


def _refs(letters: list[Claimable]) -> list[TraceRef]:
    """A new run of each letter's trace; two letters of one trace get one each."""
    out: list[TraceRef] = []
    next_runs: dict[TraceRef, int] = {}
    for letter in letters:
        place = letter.ref._replace(run=0)
        run = next_runs.get(place) or deadletters.next_run(place)
        next_runs[place] = run + 1
        out.append(place._replace(run=run))
    return out


def _begin(letter: Claimable, ref: TraceRef, edit: bytes | None) -> tuple[Root, Event]:
    """The trace's root, and the event as it reaches the node."""
    channel_id = cursors.channel_of(ref.subscription_id)
    row = read_one(channel_id, ref.partition, ref.offset)
    accepted_at = row.accepted_at if row else letter.dead_at
    event = event_of(letter.event if edit is None else edit, accepted_at)
    origin = event_of(row.body, accepted_at) if row else event
    key = row.key if row else event.id
    return Root(ref, origin, channel_id, column(event.type), column(key)), event


def _path(letter: Claimable, edit: bytes | None) -> int:
    """The letter's own way, so that effects have the same idempotency keys as before. An edited
    event asks for something else: its way, and with it the keys, follow from the edit."""
    return letter.path if edit is None else crc32(edit, letter.path)


def _marked(trace: NewTrace, run: Run, letter: Claimable) -> NewTrace:
    """The trace saying in its first segment that it is a redrive, and of what."""
    segment = orjson.loads(trace.steps)
    told = {"letter": letter.id, "redrive": run.id, "by": run.by, "edited": run.edit is not None}
    segment["redrive"] = told
    return msgspec.structs.replace(trace, steps=orjson.dumps(segment))
