"""A reader that is too far behind: what blocks, what expires, and what is told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import make
from tests.accounting import assert_balanced
from tests.sending import send
from workflows.models import Alarm, Channel, Cursor, Flow, Subscription, Trace
from workflows.storage import accounting, alarms, channels, cursors, flows, gaps, overdue
from workflows.storage.parts import Fenced
from workflows.storage.plans import load_plan
from workflows.tasks import choice
from workflows.tasks.drain import drain_slice, take


def _reader(slug: str = "reader", limit: int = 10) -> Flow:
    channels.create(make.workspace().pk, "shared", partitions=1)
    Channel.objects.update(lag_limit=limit)
    nodes = [("in", "producer.channel", {"channel": "shared"}), ("end", "consumer.log", {})]
    return make.published(make.document(slug, nodes, ["in:out end"]))


def _drain(flow: Flow) -> None:
    while drain_slice(Subscription.objects.get(flow=flow).pk):
        pass


def _send(count: int, start: int = 0) -> None:
    send("shared", [make.event(str(n)) for n in range(start, start + count)])


def test_a_reader_past_the_limit_is_moved_on_and_an_alarm_tells() -> None:
    flow, other = _reader("slow"), _reader("quick")
    flows.set_paused(flow, True)
    _send(25)
    _drain(other)
    (told,) = overdue.expire()
    assert (told.flow_id, told.node, told.channel, told.n) == (flow.pk, "in", "shared", 15)
    assert Subscription.objects.get(flow=flow).expired == 15
    alarm = Alarm.objects.get()
    assert (alarm.flow_id, alarm.kind, alarm.difference) == (flow.pk, "expired", 15)
    assert Trace.objects.filter(flow=other).count() == 25
    _send(4, 25)
    assert [one.n for one in overdue.expire()] == [4]
    assert Alarm.objects.get().difference == 19
    flows.set_paused(flow, False)
    _drain(flow)
    assert Trace.objects.filter(flow=flow, state="ok").count() == 10
    assert overdue.expire() == []
    assert Alarm.objects.get().state == "resolved"
    assert_balanced(flow)
    assert accounting.examine(flow.pk, 1_000).findings == []


def test_within_the_limit_nothing_expires() -> None:
    flow = _reader()
    _send(10)
    assert overdue.expire() == []
    _drain(flow)
    assert Trace.objects.count() == 10


def test_where_the_policy_is_to_block_nobody_is_moved() -> None:
    _reader()
    Channel.objects.update(lag_policy="block")
    _send(25)
    assert overdue.expire() == []
    assert set(Cursor.objects.values_list("position", flat=True)) == {0}


def test_a_drain_that_was_reading_when_its_events_expired_changes_nothing() -> None:
    flow = _reader()
    _send(25)
    backlog = cursors.unread(Subscription.objects.get().pk, "slow")
    assert backlog is not None
    reader, parts = backlog
    overdue.expire()
    with pytest.raises(Fenced):
        take(reader, load_plan(reader.version_id), choice.Take(choice.shares(parts, choice.BATCH)))
    _drain(flow)
    assert Trace.objects.count() == 10


def test_the_alarm_of_expired_events_outlives_looks_at_the_accounting() -> None:
    flow = _reader()
    _send(25)
    overdue.expire()
    alarms.record([(accounting.examine(flow.pk, 1_000), 0.0)])
    assert Alarm.objects.get().state == "open"
    assert all(look.gaps == [] for look in accounting.examine(flow.pk, 1_000).looks)
    assert gaps.cursors_of(flow.pk)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(1, 100))
def test_as_few_as_needed_are_cut_off_and_from_the_longest_backlogs(
    lags: list[int], limit: int
) -> None:
    positions = {partition: 100 for partition in range(len(lags))}
    heads = {partition: 100 + lag for partition, lag in enumerate(lags)}
    places = overdue.level(positions, heads, limit)
    left = [heads[p] - places.get(p, positions[p]) for p in positions]
    assert sum(left) <= limit
    assert bool(places) == (sum(lags) > limit)
    if places:
        assert limit - sum(left) < len(lags)
        assert max(left) == max(left[p] for p in places)
