"""The bodies of a page's events are looked up, one by one."""

import pytest

from tests import make
from tests.explain import plan_of, reads_all_of
from workflows.models import Channel
from workflows.storage import eventpages
from workflows.storage.pages import Place

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_bodies_of_a_page_are_found_without_reading_all_events() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(i)) for i in range(100)])
    channel = Channel.objects.get(flow=flow)
    rows, _ = eventpages.page([channel.pk], eventpages.EVERYTHING, Place({}), 80)
    assert set(eventpages.bodies(rows)) == set(rows)
    plan = plan_of(lambda: eventpages.bodies(rows))
    assert "workflows_event" in plan or "SEARCH e" in plan
    assert not reads_all_of("e", plan), plan
    assert not reads_all_of("workflows_event", plan), plan
