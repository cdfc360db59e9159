"""A letter at which workers die when it is redriven stays a letter, and the run goes on."""

from typing import Any

import pytest
from django.db import OperationalError

from tests import make
from tests.tasks.due import drain
from tests.tasks.killing import Killed, end_in
from workflows.models import DeadLetter, Flow, Redrive, Trace
from workflows.storage import accounting, redrives
from workflows.storage.deadgroups import Wanted
from workflows.tasks import crashes, redrive, rerun


def _died(count: int, deadly: int, monkeypatch: pytest.MonkeyPatch, is_crash: bool) -> Flow:
    """A flow with letters, one of which is deadly; all of kind crash or none."""
    flow = make.published(make.order_document(consumer=("end", "consumer.log", {})))
    with monkeypatch.context() as patched:
        if is_crash:
            patched.setattr(crashes, "MOST_LEASES", 0)
        ids = [f"deadly{n}" if n == deadly else f"e{n}" for n in range(count)]
        data: dict[str, Any] = {"amount": 150} if is_crash else {}
        make.append(flow, [make.event(one, data=data) for one in ids])
        drain(flow)
    assert DeadLetter.objects.count() == count
    return flow


def _start(flow: Flow, *letters: int) -> Redrive:
    order = redrives.Order(Wanted(flow=flow.slug), letters)
    return redrives.start(flow.workspace_id, "olga", order)


def _work_on(run: Redrive, problem: BaseException | None = None) -> int:
    """Work on a run to its end, by one process after another, with that problem at what is deadly;
    how many of them died."""
    with pytest.MonkeyPatch.context() as patched:
        if problem is not None:
            end_in(patched, rerun, "walk_on", problem)
        return _deaths(run)


def _deaths(run: Redrive) -> int:
    for deaths in range(10):
        Redrive.objects.filter(ended_at=None).update(due_at=0)  # the lease of the dead is over
        try:
            while redrive.work_on(run.pk):
                pass
        except (Killed, OperationalError):
            continue
        run.refresh_from_db()
        if run.ended_at is not None:
            return deaths
    raise AssertionError("it doesn't come to an end")


def test_a_crash_letter_that_kills_again_is_tried_once_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = _died(5, 2, monkeypatch, is_crash=True)
    before = DeadLetter.objects.get(event_id="deadly2").attempts
    run = _start(flow)
    assert _work_on(run, Killed()) == 1
    letter = DeadLetter.objects.get(event_id="deadly2")
    assert (letter.state, letter.failure["kind"], letter.attempts) == ("open", "crash", before + 1)
    assert (run.state, run.done, run.ok, run.skipped) == ("done", 4, 4, 1)
    assert run.says == "1 couldn't be run, and stays open."
    assert accounting.examine(flow.pk, 100_000).findings == []
    again = _start(flow, letter.pk)  # what killed is mended
    assert _work_on(again) == 0
    assert (again.done, again.ok, again.skipped) == (1, 1, 0)
    assert Trace.objects.filter(run__gt=0, state="ok").count() == 5


def test_a_letter_of_another_kind_that_kills_is_found_and_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = _died(5, 2, monkeypatch, is_crash=False)
    run = _start(flow)
    assert _work_on(run, Killed()) == 2  # with the others, then alone
    letter = DeadLetter.objects.get(event_id="deadly2")
    assert (letter.state, letter.attempts) == ("open", 2)
    assert (run.state, run.done, run.skipped) == ("done", 4, 1)


def test_the_troubles_of_the_database_are_not_held_against_a_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = _died(1, 0, monkeypatch, is_crash=True)
    before = DeadLetter.objects.get().attempts
    run = _start(flow)
    with monkeypatch.context() as patched:
        end_in(patched, rerun, "walk_on", OperationalError("the disk is full"))
        with pytest.raises(OperationalError):
            redrive.work_on(run.pk)
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.attempts) == ("open", before)
    assert _work_on(run) == 0
    assert (run.done, run.ok, run.skipped) == (1, 1, 0)


def test_a_crash_letter_that_can_not_be_run_is_told_like_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = _died(2, 0, monkeypatch, is_crash=True)
    run = _start(flow)
    assert _work_on(run, ValueError("no row can be made of this")) == 0
    assert (run.state, run.done, run.skipped) == ("done", 1, 1)
