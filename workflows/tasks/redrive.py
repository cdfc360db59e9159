"""How does a run over dead letters get on, and when does it wait?

A run (`storage.redrives`) is worked on in slices: take its lease, take up letters commit by commit,
and give it back with the moment when it is due again. The timers ask for what is due, so a lost
message or a dead worker only delays it. `tasks.rerun` is how its letters run again.
"""

import time
from collections.abc import Iterable
from itertools import takewhile

from workflows.storage import deadletters, redriveorder, redrivework
from workflows.storage.redrivework import Lost, Progress, Run
from workflows.tasks import crashes, rerun
from workflows.tasks.asking import ask_for
from workflows.tasks.owner import owner

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
        if not ask_for(redrive, run_id, seconds=_MESSAGE_SECONDS):
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
        run, letters = redriveorder.next_letters(run, max(size, 1))
        if not letters:
            redrivework.close(run, "done", _left(run.skipped))
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


def _left(skipped: int) -> str:
    if not skipped:
        return ""
    return f"{skipped:,} couldn't be run, and {'stays' if skipped == 1 else 'stay'} open."


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
    claimed.sort(key=lambda one: letters.index(one.id))
    first = claimed[0]
    if first.paused:
        others = redriveorder.put_off(run)
        return others or run, "" if others else f"Waits: the flow {first.flow} is paused."
    if run.was_cut_off or first.kind == crashes.KIND:
        return rerun.alone(run, first), ""
    together = takewhile(
        lambda one: one.flow_id == first.flow_id and one.kind != crashes.KIND, claimed
    )
    return rerun.some_of(run, list(together)), ""
