"""What must cost the same, however many events and flows there are?"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.explain import plan_of, reads_all_of
from tests.tasks.due import drain
from workflows.models import Channel, Flow
from workflows.storage import retention, sought, tracepages
from workflows.storage.pages import Place
from workflows.storage.sought import Question
from workflows.storage.tracepages import Wanted

pytestmark = pytest.mark.django_db(transaction=True)


def _filled(slug: str) -> Flow:
    flow = make.published(make.order_document(slug))
    make.append(flow, [make.event(f"{slug}-{i}") for i in range(20)])
    return flow


def _taken(slug: str) -> int:
    flow = _filled(slug)
    drain(flow)
    return flow.pk


@pytest.mark.parametrize("state", ["", "ok", "queued"])
def test_the_traces_of_an_event_are_found_by_its_id_however_many_flows_are_asked(
    state: str,
) -> None:
    flow_ids = [_filled(f"flow{i}").pk for i in range(5)]
    wanted = tracepages.Wanted(state, event="flow1-3")
    plan = plan_of(lambda: tracepages.of_event(flow_ids, wanted, 50))
    assert "event_by_id" in plan


def test_pruning_asks_nothing_of_partitions_whose_oldest_event_is_young() -> None:
    asked = []
    for slug in ("first", "second", "third"):
        _filled(slug)
        with CaptureQueriesContext(connection) as queries:
            retention.prune()
        asked.append(len(queries))
    assert asked[0] == asked[1] == asked[2]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), "trace_by_number"),
        (Wanted(state="failed"), "trace_unfinished"),
        (Wanted(key="k"), "trace_by_number"),
    ],
)
def test_lists_of_traces_go_by_an_index(wanted: Wanted, index: str) -> None:
    flow_ids = [_taken(f"flow{i}") for i in range(5)]
    plan = plan_of(lambda: tracepages.page(flow_ids, wanted, Place({}), 50))
    assert index in plan
    for table in ("t", "workflows_trace", "s", "workflows_segment"):
        assert not reads_all_of(table, plan), plan


def test_a_key_is_looked_for_by_an_index_in_one_partition_of_each_channel() -> None:
    slugs = [f"flow{i}" for i in range(5)]
    for slug in slugs:
        _filled(slug)
    channel_ids = list(Channel.objects.values_list("pk", flat=True))
    plan = plan_of(lambda: sought.find(channel_ids, Question(key="k"), [], 10))
    assert not reads_all_of("workflows_event", plan), plan
    with CaptureQueriesContext(connection) as queries:
        sought.find(channel_ids, Question(key="k"), [], 10)
    assert len(queries) <= 3
