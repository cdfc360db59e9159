"""How a trace ends is decided once: no zombie runs for ever, and no success becomes a failure."""

import threading
from typing import Any

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import DeadLetter, Effect, Flow, Subscription, Trace
from workflows.tasks import jobs
from workflows.tasks.drain import drain_slice


def _drain(flow: Flow) -> None:
    for one in Subscription.objects.filter(flow=flow):
        while drain_slice(one.pk):
            pass


def _http(sink: Sink, **config: Any) -> make.Node:
    return ("call", "consumer.http", {"url": f"{sink.url}/orders", **config})


def _has_ended(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


@pytest.mark.parametrize("late", [500, 404, 200])
def test_a_late_answer_rewrites_no_ending(sink: Sink, late: int) -> None:
    flow = make.published(make.order_document(consumer=_http(sink, timeout_seconds=20)))
    go_on, is_called, first = threading.Event(), threading.Event(), threading.Semaphore(1)

    def answer(call: Call) -> Answer:
        if first.acquire(blocking=False):
            is_called.set()
            go_on.wait(15)
            return (late, {}, b"")
        return (200, {}, b"")

    sink.answer = answer
    make.append(flow, [make.event("a")])
    _drain(flow)
    # As if the first worker had been stopped in mid-call: its lease is another's, and has run out.
    assert is_called.wait(10)
    Effect.objects.update(owner="a stopped worker", due_at=0)
    wait_until(lambda: _has_ended(flow))
    go_on.set()
    sink.wait_for(2)
    wait_until(lambda: not Effect.objects.exists())
    trace = Trace.objects.get(flow=flow)
    assert (trace.state, trace.delivered, trace.dead) == ("ok", 1, 0)
    assert not DeadLetter.objects.exists()
    assert_balanced(flow)
