"""Without workers everything is accepted and waits; without Valkey everything is only late."""

import pytest
import redis
from django.conf import settings

from tests import make
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Effect, Flow, Trace
from workflows.storage import cursors, tracepages

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def _flow(sink: Sink) -> Flow:
    consumer = ("call", "consumer.http", {"url": f"{sink.url}/orders"})
    return make.published(make.order_document(consumer=consumer))


def test_with_every_worker_stopped_events_are_accepted_and_stay_queued(
    stack: Stack, sink: Sink
) -> None:
    flow = _flow(sink)
    stack.start(workers=0)
    url = f"{stack.base_url}/api/v1/flows/orders/trigger"
    token = make.token(None, "events:write")
    for i in range(20):
        assert make.post(url, {"id": f"e{i}", "data": {"amount": 150}}, token)[0] == 202
    rows = tracepages.queued([flow.pk], 100)
    assert {row.state for row in rows} == {"queued"}
    assert len(rows) == 20
    assert not Trace.objects.exists()
    assert not Effect.objects.exists()
    assert sink.calls == []
    stack.start(workers=1)
    sink.wait_for(20, 20)
    wait_until(lambda: Trace.objects.filter(state="ok").count() == 20)


def test_a_flushed_valkey_loses_nothing_and_lag_clears_within_two_seconds(
    stack: Stack, sink: Sink
) -> None:
    flow = _flow(sink)
    stack.start(workers=0, timers=False)
    url = f"{stack.base_url}/api/v1/flows/orders/trigger"
    token = make.token(None, "events:write")
    for i in range(50):
        make.post(url, {"id": f"e{i}", "data": {"amount": 150}}, token)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()  # nudges, queue and all
    stack.start(workers=1, web=False)
    wait_until(lambda: stack.named("worker") and cursors.lag_of_flow(flow.pk) == 0, 20)
    for i in range(50, 100):
        make.post(url, {"id": f"e{i}", "data": {"amount": 150}}, token)
        if i % 10 == 0:
            with redis.Redis.from_url(settings.REDIS_URL) as client:
                client.flushall()
    wait_until(lambda: cursors.lag_of_flow(flow.pk) == 0, 2.0, "no lag, 2 s after the last flush")
    sink.wait_for(100, 20)
    assert sorted(sink.ids()) == sorted(f"e{i}" for i in range(100))
