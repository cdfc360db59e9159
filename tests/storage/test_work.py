"""Parked work, as it is taken when its moment has come."""

import pytest

from tests import make
from workflows.storage import dbclock, parked, work
from workflows.storage.parts import NewEffect, TraceRef, Waiting

pytestmark = pytest.mark.django_db(transaction=True)


def effect(version_id: int, due_at: float) -> NewEffect:
    waiting = Waiting(TraceRef(1, 0, 0), version_id, "call", 0, None, None, due_at, "")
    return NewEffect(waiting, "http://127.0.0.1", due_at, "key", b"{}", 10.0, 0)


def test_what_is_due_now_is_found_by_the_look_that_follows_at_once() -> None:
    flow = make.published(make.order_document())
    assert flow.published_id is not None
    for number in range(50):  # the moments lie anywhere between two ticks of a clock
        parked.insert_effects(flow.pk, number, [effect(flow.published_id, dbclock.now())])
        assert work.effects_due()
        assert [taken.number for taken in work.take_effects("me", 10)] == [number]


def test_what_is_due_later_is_left() -> None:
    flow = make.published(make.order_document())
    assert flow.published_id is not None
    parked.insert_effects(flow.pk, 1, [effect(flow.published_id, dbclock.now() + 60)])
    assert not work.effects_due()
    assert work.take_effects("me", 10) == []
