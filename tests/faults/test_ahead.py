"""kill -9 and SIGSTOP of a worker that makes its calls before it commits."""

import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests import make
from tests.faults.load import all_done, check, flow_to
from tests.faults.stopping import stop_between_writes
from tests.servers import Stack, wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import Flow, Segment, Trace

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

EVENTS = 600  # a round


def _append(flow: Flow, start: int, stop: int) -> list[str]:
    bodies = [make.event(f"e{n}", 150 if n % 2 else 50) for n in range(start, stop)]
    make.append(flow, bodies)
    return [str(body["id"]) for body in bodies]


def _kill(stack: Stack, name: str) -> None:
    stack.kill(name, signal.SIGKILL)


def _ended_at_once() -> int:
    """How many events came to their end in the commit that took them, calls and all."""
    return Trace.objects.filter(delivered=1).count() - Segment.objects.count()


def _is_ahead_or_done(flow: Flow, before: int) -> bool:
    return _ended_at_once() > before or all_done(flow)


def _slowly(call: Call) -> Answer:
    time.sleep(0.005)  # so that the worker is met while it waits for answers
    return 200, {}, b"ok"


def _meet_it_ahead(stack: Stack, flow: Flow) -> list[str]:
    """Give the worker long backlogs, until it is in the midst of one and makes its calls before
    the commit: on a busy machine it may find the destination too slow for that at first."""
    accepted: list[str] = []
    for number in range(20):
        before = _ended_at_once()
        stack.kill("worker 1", signal.SIGSTOP)
        accepted += _append(flow, number * EVENTS, (number + 1) * EVENTS)
        stack.kill("worker 1", signal.SIGCONT)
        wait_until(partial(_is_ahead_or_done, flow, before), 60, "the calls")
        if _ended_at_once() > before and not all_done(flow):
            return accepted
    raise AssertionError("the worker never called before it committed")


@pytest.mark.parametrize("end", [_kill, stop_between_writes], ids=["killed", "stopped"])
def test_a_worker_that_calls_before_it_commits_repeats_no_more_than_was_under_way(
    stack: Stack, sink: Sink, end: Callable[[Stack, str], None]
) -> None:
    flow = flow_to(sink)
    sink.answer = _slowly
    stack.start(workers=1)
    accepted = _meet_it_ahead(stack, flow)
    end(stack, "worker 1")
    stack.start(workers=1)
    wait_until(lambda: all_done(flow), 60, "another one to take over")
    stack.kill("worker 1", signal.SIGCONT)
    stack.kill("worker 1", signal.SIGTERM)  # whatever it had begun, it has ended now
    check(flow, accepted, sink, deaths=1)
