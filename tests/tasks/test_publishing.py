"""Publishing while drains are under way: nothing is lost, repeated or taken out of order."""

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from tests import make
from tests.tasks.due import drain
from workflows.models import FlowVersion, Subscription, Trace
from workflows.storage import accounting, cursors, flows, publishing
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
