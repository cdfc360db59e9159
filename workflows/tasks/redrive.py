"""How do dead letters run again? From the node where they died, each as a new run of its trace.

A run over letters (`storage.redrives`) is worked on in slices: take its lease, take up letters
commit by commit, and give it back with the moment when it is due again. The timers ask for what is
due, so a lost message or a dead worker only delays it.
"""

import logging
import time
from collections.abc import Iterable
from itertools import takewhile
from zlib import crc32

import msgspec
import orjson
from django.db import Error

from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run as walk_on
from workflows.engine.walk import Arrival
from workflows.storage import cursors, dbclock, deadletters, log, redrivework
from workflows.storage.deadletters import Claimable
from workflows.storage.parts import Fenced, FlowCommit, NewTrace, Redriven, Stale, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.storage.redrivework import Lost, Progress, Run
from workflows.storage.sql import column
from workflows.tasks.context import Publisher, Surroundings, event_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)

_BATCH = 100  # letters a commit
_SLICE_SECONDS = 0.5
_CAREFUL = 10  # letters under way, at least, in a run that stops on errors
_WAIT_SECONDS = 0.25  # for outcomes, while letters are left
_LAST_WAIT_SECONDS = 1.0  # for outcomes, when none is left
_PAUSED_SECONDS = 2.0
_MESSAGE_SECONDS = 2.0  # then the timers have asked again


def ask(run_ids: Iterable[int]) -> None:
    """Ask a worker to go on with these runs. Never raises: without Redis the timers ask later."""
    from workflows.tasks.jobs import redrive

    for run_id in run_ids:
        try:
            redrive.apply_async((run_id,), retry=False, expires=_MESSAGE_SECONDS)
        except Exception as problem:  # redis and kombu raise many kinds; all mean "not now"
            logger.warning("redrive %d is left to the timers: %s", run_id, problem)
            return


def work_on(run_id: int) -> bool:
    """Work on a run for a slice; whether it can go on at once."""
    run = redrivework.take(run_id, owner())
    if run is None:
        return False
    try:
        return _slice(run)
    except Lost:  # cancelled: what is under way is still to be looked after
        redrivework.give_back(run, 0.0)
        return True


def _slice(run: Run) -> bool:
    end = time.monotonic() + _SLICE_SECONDS
    while True:
        run = redrivework.look(run)
        if run.state != "running":
            return _see_out(run)
        if run.stop_after and run.failed >= run.stop_after:
            redrivework.close(run, "stopped", f"Stopped: {run.failed} died again.")
            return _see_out(run)
        size = _size(run)
        run, letters = redrivework.next_letters(run, max(size, 1))
        if not letters:
            says = f"{run.skipped} couldn't be run, and stay open." if run.skipped else ""
            redrivework.close(run, "done", says)
            return _see_out(run)
        if size == 0:
            redrivework.give_back(run, _WAIT_SECONDS)
            return False
        begun = run.done
        run, says = _take_up(run, letters)
        if says:
            redrivework.give_back(run, _PAUSED_SECONDS, says)
            return False
        if run.rate:
            redrivework.give_back(run, (run.done - begun) / run.rate)
            return False
        if time.monotonic() > end:
            redrivework.give_back(run, 0.0)
            return True


def _size(run: Run) -> int:
    """How many letters may be taken up now; 0: wait for outcomes first."""
    size = _BATCH
    if run.rate:
        size = min(size, max(1, int(run.rate * _SLICE_SECONDS)))
    if run.stop_after and run.act == "redrive":
        most = max(_CAREFUL, run.stop_after)
        size = min(size, most - redrivework.waited_for(run, most))
    return size


def _see_out(run: Run) -> bool:
    """Look after what is under way, until nothing is."""
    if run.pending:
        redrivework.give_back(run, _LAST_WAIT_SECONDS)
    else:
        redrivework.end(run)
    return False


def _take_up(run: Run, letters: list[int]) -> tuple[Run, str]:
    """Commit the first of these letters that go together; the run behind them, or why it waits."""
    if run.act == "discard":
        return redrivework.discard_slice(run._replace(position=letters[-1]), letters), ""
    claimed = deadletters.claim(run.workspace_id, letters)
    if not claimed:
        return redrivework.move(run._replace(position=letters[-1]), Progress()), ""
    first = claimed[0]
    if first.paused:
        return run, f"Waits: the flow {first.flow} is paused."
    together = list(takewhile(lambda one: one.flow_id == first.flow_id, claimed))
    for some in (together, together[:1]):  # one that breaks the walk must not stop the others
        try:
            return _run_again(run, some), ""
        except (Error, Lost):
            raise
        except Exception as problem:
            logger.warning("dead letters from %d on can't be run: %s", first.id, problem)
    return redrivework.move(run._replace(position=first.id), Progress(skipped=1)), ""


def _run_again(run: Run, letters: list[Claimable]) -> Run:
    version_id, plan = _choose(run, letters[0])
    together = list(takewhile(lambda one: _choose(run, one)[0] == version_id, letters))
    while True:
        try:
            return _commit(run, plan, version_id, together)
        except Stale:
            continue  # another walk changed a memory, or took a run number: decide again
        except Fenced:
            together = deadletters.claim(run.workspace_id, [one.id for one in together])
            if not together:
                return redrivework.move(run._replace(position=letters[0].id), Progress())


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


def _commit(run: Run, plan: Plan, version_id: int, letters: list[Claimable]) -> Run:
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
        run._replace(position=letters[-1].id), [part], owner(), now, _progress(part)
    )
    if walk.asks:
        performer().look()
    announce(landed, [part], publisher.channel_ids)
    return moved


def _progress(part: FlowCommit) -> Progress:
    failed = sum(trace.state == "failed" for trace in part.traces)
    running = sum(trace.state == "running" for trace in part.traces)
    taken = len(part.traces)
    return Progress(done=taken, ok=taken - failed - running, failed=failed)


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
    row = log.read_one(channel_id, ref.partition, ref.offset)
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
