"""Who comes for an event that arrives just as a drain ends? It or another, but not both."""

from collections.abc import Callable

import pytest

from tests import make
from workflows.models import Flow, Subscription
from workflows.storage import cursors
from workflows.storage.plans import PlanMissing
from workflows.tasks import drain, nudge
from workflows.tasks.drain import drain_slice


@pytest.fixture
def flow() -> Flow:
    nodes = [("in", "producer.http", {}), ("end", "consumer.log", {})]
    nudge.connection().flushdb()  # what earlier tests asked for
    return make.published(make.document("late", nodes, ["in:out end"]))


def _subscription_id(flow: Flow) -> int:
    return Subscription.objects.get(flow=flow).pk


def _at_first_clear(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    clear, waiting = nudge.clear, [do]

    def and_then(subscription_id: int) -> None:
        clear(subscription_id)
        if waiting:
            waiting.pop()()

    monkeypatch.setattr(nudge, "clear", and_then)


def test_a_drain_takes_what_came_in_behind_its_last_look(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.append(flow, [make.event("one")])
    _at_first_clear(monkeypatch, lambda: make.append(flow, [make.event("two")]))
    assert drain_slice(_subscription_id(flow)) is False
    assert cursors.lag_of_flow(flow.pk) == 0


def test_a_drain_leaves_it_to_whoever_was_nudged_for_it(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription_id = _subscription_id(flow)

    def another_process() -> None:
        make.append(flow, [make.event("two")])
        assert nudge.nudge([subscription_id]), "somebody is asked"

    make.append(flow, [make.event("one")])
    _at_first_clear(monkeypatch, another_process)
    assert drain_slice(subscription_id) is False
    assert cursors.lag_of_flow(flow.pk) == 1
    assert drain_slice(subscription_id) is False, "the one who was asked"
    assert cursors.lag_of_flow(flow.pk) == 0


def test_nobody_is_asked_twice_until_a_drain_lets_nudges_through_again(flow: Flow) -> None:
    subscription_id = _subscription_id(flow)
    assert nudge.nudge([subscription_id])
    assert not nudge.nudge([subscription_id])
    assert not nudge.claim(subscription_id)
    assert drain_slice(subscription_id) is False
    assert nudge.claim(subscription_id)
    assert not nudge.nudge([subscription_id])


def test_a_drain_that_can_take_nothing_ends_and_leaves_the_rest_to_the_sweep(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(version_id: int) -> None:
        raise PlanMissing(f"version {version_id}")

    make.append(flow, [make.event("one")])
    monkeypatch.setattr(drain, "load_plan", missing)
    assert drain_slice(_subscription_id(flow)) is False
    assert cursors.lagging() == [_subscription_id(flow)]
    assert nudge.claim(_subscription_id(flow)), "the sweep's nudge gets through"
