"""Publishing while drains are under way: nothing is lost, repeated or taken out of order."""

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.due import drain
from workflows.models import Effect, FlowVersion, Held, Subscription, Trace
from workflows.storage import accounting, cursors, flows, publishing
from workflows.tasks import jobs
from workflows.tasks.drain import drain_slice

EVENTS, VERSIONS = 3_000, 8


def test_events_are_taken_once_and_in_order_by_one_version_after_the_other() -> None:
    body = make.order_document()
    flow = make.published(body)
    subscription_id = Subscription.objects.get().pk
    is_over = threading.Event()

    def keep_draining() -> None:
        try:
            while not is_over.is_set():
                drain_slice(subscription_id)
        finally:
            connections.close_all()

    def keep_publishing() -> None:
        try:
            for _ in range(VERSIONS - 1):
                publishing.publish(flow, body)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        draining = [pool.submit(keep_draining) for _ in range(2)]
        others = None
        try:
            for start in range(0, EVENTS, 100):
                numbers = range(start, start + 100)
                make.append(flow, [make.event(str(n), subject=f"k{n % 7}") for n in numbers])
                others = others or pool.submit(keep_publishing)
            assert others is not None
            others.result(60)
        finally:
            is_over.set()
        for one in draining:
            one.result(60)
    drain(flow)
    assert FlowVersion.objects.count() == VERSIONS
    assert cursors.lag_of_flow(flow.pk) == 0
    assert Trace.objects.filter(state="ok").count() == EVENTS
    taken: defaultdict[int, list[int]] = defaultdict(list)
    for partition, version in Trace.objects.order_by("partition", "offset").values_list(
        "partition", "version"
    ):
        taken[partition].append(version)
    assert all(versions == sorted(versions) for versions in taken.values())
    assert accounting.examine(flow.pk, 100_000).findings == []


def test_going_back_is_publishing_an_older_document_again() -> None:
    flow = make.published(make.order_document())
    first = FlowVersion.objects.get().document
    publishing.publish(flow, {**first, "description": "worse"})
    flows.set_paused(flow, True)
    make.append(flow, [make.event("a")])
    publishing.publish(flow, first)
    drain(flow)
    assert not Trace.objects.exists()  # it is still paused
    flows.set_paused(flow, False)
    drain(flow)
    assert list(Trace.objects.values_list("version", "state")) == [(3, "ok")]


def test_what_is_held_or_tried_again_is_finished_by_the_version_that_took_it(sink: Sink) -> None:
    def body(path: str) -> dict[str, object]:
        call = {"url": f"{sink.url}/{path}", "retry": {"first_seconds": 60, "jitter": 0}}
        nodes: list[make.Node] = [
            ("in", "producer.http", {}),
            ("wait", "filter.delay", {"seconds": 3_600}),
            ("late", "consumer.http", call),
            ("soon", "consumer.http", call),
        ]
        return make.document("orders", nodes, ["in:out wait", "wait:out late", "in:out soon"])

    def is_parked() -> bool:
        return Effect.objects.filter(attempt=1, owner="").exists()

    sink.answer = lambda call: (503, {}, b"")
    flow = make.published(body("old"))
    make.append(flow, [make.event("a")])
    drain(flow)
    wait_until(is_parked)
    publishing.publish(flow, body("new"))
    sink.answer = lambda call: (200, {}, b"")
    Effect.objects.update(due_at=0)
    Held.objects.update(due_at=0, until=0)
    jobs.tick()
    wait_until(lambda: Trace.objects.get().state == "ok")
    assert [call.path for call in sink.calls] == ["/old"] * 3
    assert len({call.key for call in sink.calls}) == 2, "the retry has the key of the first call"
    assert Trace.objects.get().version == 1
    assert_balanced(flow)
