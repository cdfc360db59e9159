"""What is known of producers that make events by themselves."""

import time

import pytest

from tests import make
from tests.tasks.due import fire_all
from workflows.models import Flow, Subscription, Timer
from workflows.storage import publishing, timers
from workflows.storage.timers import DueTimer, Timed

pytestmark = pytest.mark.django_db


def _document(**config: object) -> dict[str, object]:
    nodes: list[make.Node] = [
        ("in", "producer.schedule", {"every_seconds": 60, **config}),
        ("end", "consumer.log", {}),
    ]
    return make.document("often", nodes, ["in:out end"])


def _the_one(flow: Flow) -> Timed:
    (found,) = timers.of_flow(flow.pk)
    return found


def test_a_timer_knows_its_next_moment_and_the_last_that_made_events() -> None:
    flow = make.published(_document())
    assert _the_one(flow).fired_at is None
    due = time.time() // 60 * 60
    Timer.objects.update(due_at=due)
    fire_all()
    found = _the_one(flow)
    assert found.fired_at is not None and due <= found.fired_at <= time.time()
    assert found.next_at is not None and found.next_at > time.time()
    assert found.error == ""


def test_a_moment_without_events_leaves_the_last_one_that_had_some() -> None:
    flow = make.published(_document())
    timer = Timer.objects.get()
    assert timers.advance(DueTimer(timer.pk, timer.due_at), 200.0, fired_at=100.0)
    assert timers.advance(DueTimer(timer.pk, 200.0), 300.0, error="broken")
    assert _the_one(flow) == Timed("in", 300.0, 100.0, "broken")
    assert timers.failing([flow.pk]) == {flow.pk: 1}
    assert timers.advance(DueTimer(timer.pk, 300.0), 400.0, fired_at=300.0)
    assert _the_one(flow) == Timed("in", 400.0, 300.0, "")
    assert timers.failing([flow.pk]) == {}


def test_a_timer_without_a_next_moment_is_never_due() -> None:
    flow = make.published(_document())
    timer = Timer.objects.get()
    assert timers.advance(DueTimer(timer.pk, timer.due_at), None)
    assert _the_one(flow).next_at is None
    assert timers.due() == []


def test_publishing_forgets_what_was_wrong_and_keeps_when_it_last_went_well() -> None:
    flow = make.published(_document())
    Timer.objects.update(fired_at=100.0, error="broken")
    publishing.publish(flow, _document(data={"n": 1}))
    found = _the_one(flow)
    assert (found.fired_at, found.error) == (100.0, "")


def test_a_producer_that_was_removed_is_told_of_no_more() -> None:
    flow = make.published(_document())
    Timer.objects.update(error="broken")
    Subscription.objects.update(state=Subscription.State.CLOSED)
    assert timers.of_flow(flow.pk) == [] and timers.failing([flow.pk]) == {}
