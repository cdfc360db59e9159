"""Events at which workers die are found one by one, and only they are set aside."""

import pytest
from django.db import OperationalError

from tests import make
from tests.accounting import assert_balanced
from tests.tasks.due import drain
from tests.tasks.killing import Killed, end_in
from workflows.models import Cursor, DeadLetter, Flow, Trace
from workflows.storage import accounting, cursors, flows, publishing
from workflows.storage.commit import commit
from workflows.storage.parts import CursorMove, FlowCommit
from workflows.tasks import crashes
from workflows.tasks import drain as drains


@pytest.fixture(autouse=True)
def _all_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "_LATE_SECONDS", -3_600.0)


def _drain_and_die(flow: Flow, most: int) -> int:
    """Drain until all is taken, by one process after another; how many of them died."""
    for deaths in range(most):
        try:
            drain(flow)
            return deaths
        except (Killed, ValueError, OperationalError):
            Cursor.objects.filter(lease_until__gt=0).update(lease_until=1)  # it has run out
            drains.sizes.forget()
    raise AssertionError("it doesn't come to an end")


@pytest.mark.parametrize("problem", [Killed(), ValueError("no row can be made of this")])
def test_only_the_deadly_ones_are_set_aside(
    monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    flow = make.published(make.order_document(consumer=("end", "consumer.log", {})))
    good = [f"e{n}" for n in range(40)]
    bodies = [make.event(one) for one in good]
    bodies[10:10] = [make.event("deadly/1")]
    bodies[30:30] = [make.event("deadly/2")]
    make.append(flow, bodies)
    end_in(monkeypatch, drains, "run", problem)
    _drain_and_die(flow, 40)
    assert set(DeadLetter.objects.values_list("event_id", flat=True)) == {"deadly/1", "deadly/2"}
    assert {letter.failure["kind"] for letter in DeadLetter.objects.all()} == {"crash"}
    assert set(Trace.objects.filter(state="ok").values_list("event_id", flat=True)) == set(good)
    assert not Cursor.objects.filter(attempts__gt=0).exists()
    assert_balanced(flow)
    assert accounting.examine(flow.pk, 100_000).findings == []


def test_the_troubles_of_the_database_are_not_held_against_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = make.published(make.order_document(consumer=("end", "consumer.log", {})))
    make.append(flow, [make.event("deadly")])
    with monkeypatch.context() as broken:
        end_in(broken, drains, "run", OperationalError("the disk is full"))
        for _ in range(10):
            with pytest.raises(OperationalError):
                drain(flow)
    drain(flow)
    assert Trace.objects.get().state == "ok"


def test_a_worker_that_gives_back_its_lease_has_not_died() -> None:
    flow = make.published(make.order_document(consumer=("end", "consumer.log", {})))
    (at,) = make.append(flow, [make.event("a")])
    cursor = Cursor.objects.get(subscription__flow=flow, partition=at.partition)
    for _ in range(10):
        cursors.lease(cursor.subscription_id, [at.partition], "one", 10.0)
        cursors.release(cursor.subscription_id, "one")
    cursor.refresh_from_db()
    assert cursor.attempts == 0


def test_a_worker_that_publishing_or_a_pause_has_fenced_has_not_died() -> None:
    body = make.order_document(consumer=("end", "consumer.log", {}))
    flow = make.published(body)
    (at,) = make.append(flow, [make.event("a")])
    for _ in range(5):
        subscription_id = Cursor.objects.values_list("subscription_id", flat=True)[0]
        assert cursors.lease(subscription_id, [at.partition], "one", 10.0)
        publishing.publish(flow, body)
        assert cursors.lease(subscription_id, [at.partition], "one", 10.0)
        flows.set_paused(flow, True)
        flows.set_paused(flow, False)
    drain(flow)
    assert Trace.objects.get().state == "ok"


def test_a_lease_that_was_given_back_is_not_prolonged_by_a_commit() -> None:
    flow = make.published(make.order_document(consumer=("end", "consumer.log", {})))
    (at,) = make.append(flow, [make.event("a")])
    subscription_id = Cursor.objects.values_list("subscription_id", flat=True)[0]
    cursors.lease(subscription_id, [at.partition], "one", 10.0)
    backlog = cursors.unread(subscription_id, "one")
    assert backlog is not None
    (part,) = backlog.parts
    cursors.release(subscription_id, "one")
    move = CursorMove(part.partition, part.epoch, part.position, part.end, 10.0)
    ended = FlowCommit(flow_id=flow.pk, subscription_id=subscription_id, cursors=[move])
    commit([ended], "one", 0.0)
    assert Cursor.objects.get(subscription__flow=flow, partition=at.partition).lease_until == 0
