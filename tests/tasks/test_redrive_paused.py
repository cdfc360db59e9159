"""Letters of paused flows wait, and keep nobody else waiting."""

import pytest

from tests import make
from tests.tasks.test_redrive import failing, figures, kill, mended, start
from workflows.models import DeadLetter, Redrive
from workflows.storage import flows, redriveorder, redrivework
from workflows.tasks import redrive


def test_letters_of_a_paused_flow_wait() -> None:
    flow = failing()
    kill(flow, 2)
    flows.set_paused(flow, True)
    run = make.redrive()
    assert figures(run)[:3] == ("running", 2, 0)
    assert "paused" in run.says
    flows.set_paused(flow, False)
    Redrive.objects.update(due_at=0)
    while redrive.work_on(run.pk):
        pass
    assert figures(run) == ("done", 2, 2, 0, 2)


@pytest.mark.parametrize("named", [False, True])
def test_a_paused_flow_keeps_nobody_else_waiting(named: bool) -> None:
    paused, other = failing("a-paused"), failing("other")
    letters = [*kill(paused, 3), *kill(other, 3), *kill(paused, 2, first=3), *kill(other, 2, 3)]
    for flow in (paused, other):
        mended(flow)
    flows.set_paused(paused, True)
    run = start(*letters) if named else start()
    redrive.work_on(run.pk)
    assert figures(run) == ("running", 10, 5, 5, 0)
    assert run.says == "Waits: the flow a-paused is paused."
    assert not DeadLetter.objects.filter(flow=other, state="open").exists()
    flows.set_paused(paused, False)
    Redrive.objects.update(due_at=0)
    while redrive.work_on(run.pk):
        pass
    assert figures(run) == ("done", 10, 10, 10, 0)


def test_a_flow_paused_in_mid_run_is_gone_on_with_where_it_was() -> None:
    flow, other = failing("first"), failing("second")
    kill(flow, 120)
    kill(other, 2)
    mended(flow)
    mended(other)
    run = start()
    taken = redrivework.take(run.pk, "worker")
    assert taken is not None
    taken, some = redriveorder.next_letters(taken, 100)
    taken, _ = redrive._take_up(taken, some)
    flows.set_paused(flow, True)
    taken, more = redriveorder.next_letters(taken, 100)
    if not DeadLetter.objects.filter(pk__in=more, flow=flow).exists():
        taken, _ = redrive._take_up(taken, more)  # the other one's were first
    redrivework.give_back(taken, 0.0)
    redrive.work_on(run.pk)
    run.refresh_from_db()
    assert figures(run) == ("running", 122, 102, 102, 0)
    flows.set_paused(flow, False)
    Redrive.objects.update(due_at=0)
    while redrive.work_on(run.pk):
        pass
    assert figures(run) == ("done", 122, 122, 122, 0)
