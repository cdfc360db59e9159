"""What must cost the same, however many events and flows there are?"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.explain import plan_of
from workflows.storage import retention, tracepages

pytestmark = pytest.mark.django_db(transaction=True)


def _filled(slug: str) -> int:
    flow = make.published(make.order_document(slug))
    make.append(flow, [make.event(f"{slug}-{i}") for i in range(20)])
    return flow.pk


@pytest.mark.parametrize("state", ["", "ok", "queued"])
def test_the_traces_of_an_event_are_found_by_its_id_however_many_flows_are_asked(
    state: str,
) -> None:
    flow_ids = [_filled(f"flow{i}") for i in range(5)]
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
    ("flows", "each"), [(0, 50_000), (1, 50_000), (8, 50_000), (200, 2_000), (5_000, 1_000)]
)
def test_a_filtered_page_looks_through_less_of_each_flow_where_there_are_many(
    flows: int, each: int
) -> None:
    assert tracepages.looked_through(flows) == each
