"""kill -9 and SIGSTOP of a worker that makes its calls before it commits."""

import signal
import time
from collections.abc import Callable

import pytest

from tests import make
from tests.faults.load import all_done, check, flow_to
from tests.faults.stopping import stop_between_writes
from tests.servers import Stack, wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import Flow, Segment, Trace

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

EVENTS = 1_200
FIRST = 20  # events; after them the worker knows how quick the destination is


def _append(flow: Flow, start: int, stop: int) -> list[str]:
    bodies = [make.event(f"e{n}", 150 if n % 2 else 50) for n in range(start, stop)]
    make.append(flow, bodies)
    return [str(body["id"]) for body in bodies]


def _kill(stack: Stack, name: str) -> None:
    stack.kill(name, signal.SIGKILL)


@pytest.mark.parametrize("end", [_kill, stop_between_writes], ids=["killed", "stopped"])
def test_a_worker_that_calls_before_it_commits_repeats_no_more_than_was_under_way(
    stack: Stack, sink: Sink, end: Callable[[Stack, str], None]
) -> None:
    flow = flow_to(sink)
    accepted = _append(flow, 0, FIRST)
    stack.start(workers=1)
    wait_until(lambda: all_done(flow), 60, "the first events to be done")
    stack.kill("worker 1", signal.SIGSTOP)
    accepted += _append(flow, FIRST, EVENTS)
    so_far = len(sink.calls)

    def slowly(call: Call) -> Answer:
        time.sleep(0.005)  # so that the worker is met while it waits for answers
        return 200, {}, b"ok"

    sink.answer = slowly
    stack.kill("worker 1", signal.SIGCONT)
    wait_until(lambda: len(sink.calls) > so_far + 100, 60, "calls")
    end(stack, "worker 1")
    stack.start(workers=1)
    wait_until(lambda: all_done(flow), 60, "another one to take over")
    ended_at_once = Trace.objects.filter(delivered=1).count() - Segment.objects.count()
    assert ended_at_once > 0, "calls were made before the commit"
    stack.kill("worker 1", signal.SIGCONT)
    stack.kill("worker 1", signal.SIGTERM)  # whatever it had begun, it has ended now
    check(flow, accepted, sink, deaths=1)
