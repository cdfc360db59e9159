"""A limit is kept over all worker processes, and what a dead one had is given to others."""

import threading
import time
from collections import Counter

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.faults.load import all_done
from tests.servers import Stack, wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import Slot

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

KEYS, EACH, AT_ONCE = [f"key{n}" for n in range(20)], 10, 2


class Counting:
    """A destination that takes its time, and counts how many calls of a key it has at once."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Answer:
        key = call.json["subject"]
        with self._lock:
            self._now[key] += 1
            self.most |= self._now
        time.sleep(0.05)  # the destination's own work
        with self._lock:
            self._now[key] -= 1
        return 200, {}, b""


def test_two_workers_keep_a_limit_for_each_key_also_when_one_dies(stack: Stack, sink: Sink) -> None:
    sink.answer = counting = Counting()
    limits = {"at_once": AT_ONCE, "per": "key"}
    config = {"url": f"{sink.url}/", "timeout_seconds": 1, "limits": limits}
    flow = make.published(make.order_document(consumer=("call", "consumer.http", config)))
    sent = [make.event(f"{key}/{n}", subject=key) for n in range(EACH) for key in KEYS]
    make.append(flow, sent)
    stack.start(workers=2, web=False)
    sink.wait_for(len(sent) // 4, 30)
    stack.kill("worker 1")
    wait_until(lambda: all_done(flow), 40, "all traces to be done")
    assert set(sink.ids()) == {event["id"] for event in sent}
    assert max(counting.most.values()) == AT_ONCE
    wait_until(lambda: not Slot.objects.filter(until__gt=time.time()).exists(), 10)
    assert_balanced(flow)
