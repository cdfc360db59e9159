"""What a process does after it was told to stop: it settles what it began, and begins nothing."""

import threading
import time

from tests import make
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import Effect
from workflows.storage import work
from workflows.tasks import jobs, process
from workflows.tasks.owner import owner


def test_a_reply_that_comes_while_it_stops_lets_nothing_begin(sink: Sink) -> None:
    def answer(call: Call) -> Answer:
        time.sleep(0.2)  # the destination's own work
        return 200, {}, b""

    sink.answer = answer
    config = {"url": f"{sink.url}/", "limits": {"at_once": 2}}
    flow = make.published(make.order_document(consumer=("call", "consumer.http", config)))
    make.append(flow, [make.event(f"e{n}", 150) for n in range(10)])
    jobs.drain(flow.subscription_set.get().pk)
    wait_until(lambda: sink.calls)
    process.stop(5.0)
    assert {one.name for one in threading.enumerate()}.isdisjoint({"act", "settle"})
    before = len(sink.calls)
    work.hand_back_effects(owner())  # what it had in hand and didn't call
    assert Effect.objects.filter(owner="").count() == 10 - before
    assert len(sink.calls) == before < 10
