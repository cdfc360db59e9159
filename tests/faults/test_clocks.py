"""A worker whose clock is wrong: leases and due times go by the database's, so nothing happens
twice, too early or much too late."""

import time

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import Stack, clock_ahead, wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import Trace
from workflows.storage import cursors

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("ahead", [-90, 90])
def test_a_worker_with_a_wrong_clock_repeats_nothing(
    stack: Stack, sink: Sink, ahead: float
) -> None:
    seen: set[str] = set()

    def answer(call: Call) -> Answer:
        time.sleep(0.05)  # in flight for a while
        first = call.key not in seen
        seen.add(call.key)
        return (429 if first else 200), {}, b""

    sink.answer = answer
    retry = {"first_seconds": 0.2, "cap_seconds": 0.2}
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("wait", "filter.delay", {"seconds": 0.5}),
        ("call", "consumer.http", {"url": f"{sink.url}/", "retry": retry}),
    ]
    flow = make.published(make.document("late", nodes, ["in:out wait", "wait:out call"]))
    stack.start(workers=1)
    stack.start(workers=1, **clock_ahead(ahead))
    make.append(flow, [make.event(f"e{i}") for i in range(300)])
    wait_until(
        lambda: (
            cursors.lag_of_flow(flow.pk) == 0
            and not Trace.objects.filter(flow=flow, state="running").exists()
        ),
        30,
        "all traces to be done",
    )
    assert len(sink.calls) == 600, "each was called once and retried once"
    assert_balanced(flow)
