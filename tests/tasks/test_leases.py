"""Do drains keep out of each other's way, and does only one of them take an event?"""

from typing import Any

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.sink import Sink
from workflows.models import Cursor, Effect, Flow, Subscription, Trace
from workflows.storage import cursors, stored
from workflows.storage.parts import Fenced
from workflows.storage.plans import load_plan
from workflows.tasks import choice, drain
from workflows.tasks.drain import drain_slice
from workflows.tasks.process import performer


def _subscription(flow: Flow) -> int:
    return int(Subscription.objects.get(flow=flow).pk)


def _drain(flow: Flow) -> None:
    while drain_slice(_subscription(flow)):
        pass


def _leased(subscription_id: int, owner: str) -> cursors.Backlog:
    backlog = cursors.unread(subscription_id, owner)
    assert backlog is not None
    partitions = [part.partition for part in backlog.parts]
    assert cursors.lease(subscription_id, partitions, owner, 10.0) == len(partitions)
    backlog = cursors.unread(subscription_id, owner)
    assert backlog is not None and all(part.is_leased for part in backlog.parts)
    return backlog


def _take(backlog: cursors.Backlog) -> None:
    reader, parts = backlog
    chosen = choice.Take(choice.shares(parts, choice.BATCH))
    drain.take(reader, load_plan(reader.version_id), chosen)


def test_a_drain_whose_lease_was_taken_over_changes_nothing(sink: Sink) -> None:
    end: make.Node = ("end", "consumer.http", {"url": sink.url})
    flow = make.published(make.order_document(consumer=end))
    make.append(flow, [make.event(str(i)) for i in range(5)])
    subscription_id = _subscription(flow)
    backlog = _leased(subscription_id, "slow")
    Cursor.objects.update(lease_until=0)  # its lease runs out
    _leased(subscription_id, "quick")
    with pytest.raises(Fenced):
        _take(backlog)
    assert not Trace.objects.exists()
    assert not Effect.objects.exists()
    assert set(Cursor.objects.values_list("position", flat=True)) == {0}
    assert performer().room.used() == 0


def test_what_one_drain_has_leased_another_does_not_see() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    subscription_id = _subscription(flow)
    (part,) = _leased(subscription_id, "first").parts
    assert cursors.unread(subscription_id, "second") is None
    assert cursors.lease(subscription_id, [part.partition], "second", 10.0) == 0
    cursors.release(subscription_id, "first")
    (seen,) = _leased(subscription_id, "second").parts
    assert (seen.position, seen.end, seen.epoch) == (0, 1, part.epoch + 1)


def test_of_two_drains_that_read_the_same_without_a_lease_one_commits() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(i)) for i in range(20)])
    one = cursors.unread(_subscription(flow), "one")
    other = cursors.unread(_subscription(flow), "other")
    assert one is not None and one == other
    _take(one)
    with pytest.raises(Fenced):
        _take(one)
    assert Trace.objects.count() == 20
    assert_balanced(flow)


def test_a_long_backlog_is_leased_and_shared_with_other_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(i)) for i in range(600)])
    subscription_id = _subscription(flow)
    seen: list[cursors.Backlog | None] = []

    def look(*arguments: Any) -> list[stored.Stored]:
        if not seen:
            seen.append(cursors.unread(subscription_id, "another"))
        return read(*arguments)

    read = stored.read
    monkeypatch.setattr(stored, "read", look)
    _drain(flow)
    assert seen[0] is not None and len(seen[0].parts) == 4
    assert Trace.objects.count() == 600
    assert not Cursor.objects.filter(lease_until__gt=0).exists()
    assert_balanced(flow)


def test_a_drain_that_began_before_a_publish_does_not_commit_after_it() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    backlog = cursors.unread(_subscription(flow), "old")
    assert backlog is not None
    make.published(make.order_document())
    with pytest.raises(Fenced):
        _take(backlog)
    _drain(flow)
    assert Trace.objects.get().version == 2
