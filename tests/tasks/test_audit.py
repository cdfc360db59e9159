"""The sweep that checks that everything is accounted for: silent in all traffic, loud at a gap."""

import time
from collections.abc import Callable

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Call, Sink
from workflows.models import (
    Alarm,
    Counter,
    Cursor,
    CursorCheck,
    DeadLetter,
    Effect,
    Event,
    Flow,
    FlowCheck,
    Held,
    Subscription,
    Trace,
)
from workflows.storage import alarms, publishing, retention
from workflows.tasks import audit as sweep
from workflows.tasks import clock, jobs
from workflows.tasks.audit import audit
from workflows.tasks.drain import drain_slice

END: make.Node = ("end", "consumer.log", {})
Alarmed = list[tuple[str, str, int]]


def look() -> Alarmed:
    """Audit every flow now; the alarms that stand."""
    FlowCheck.objects.all().delete()
    audit()
    found = Alarm.objects.exclude(state="resolved").order_by("id")
    return list(found.values_list("node", "kind", "difference"))


def drain(flow: Flow) -> None:
    for subscription in Subscription.objects.filter(flow=flow):
        while drain_slice(subscription.pk):
            pass


def settled(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def waiting_flow() -> Flow:
    body = make.document(
        "later",
        [("in", "producer.http", {}), ("wait", "filter.delay", {"seconds": 60}), END],
        ["in:out wait", "wait:out end"],
    )
    return make.published(body)


def test_no_alarm_in_all_that_may_happen(sink: Sink) -> None:
    """Retries, dead letters, redrives, delays, repeats, publishes in between: a look after each."""
    broken = {"on": True}
    asked: set[str] = set()

    def answer(call: Call) -> tuple[int, dict[str, str], bytes]:
        if broken["on"]:
            return 400, {}, b"no"
        if call.key in asked:
            return 200, {}, b""
        asked.add(call.key)
        return 503, {}, b""  # once, so that each is retried

    sink.answer = answer
    retry = {"first_seconds": 0.05, "cap_seconds": 0.05}
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("big", "filter.condition", {"condition": "event.data.amount > 100"}),
        ("once", "filter.dedupe", {"key": "event.data.amount", "window_seconds": 60}),
        ("wait", "filter.delay", {"seconds": 60}),
        ("call", "consumer.http", {"url": f"{sink.url}/", "retry": retry}),
        ("out", "consumer.channel", {"channel": "shared"}),
        END,
    ]
    wires = ["in:out big", "big:match once", "once:fresh wait", "wait:out call", "once:fresh out"]
    flow = make.published(make.document("all", nodes, wires))
    reader = make.published(
        make.document(
            "reader", [("in", "producer.channel", {"channel": "shared"}), END], ["in:out end"]
        )
    )
    assert look() == []
    make.append(flow, [make.event(f"a{i}", 90 + i) for i in range(40)])
    assert look() == []
    drain(flow)
    assert Held.objects.count() == 29
    assert look() == []
    # Another wiring, while 29 arrivals wait in the old one.
    publishing.publish(
        flow, make.document("all", nodes, ["in:out big", "big:match call", "in:out end"])
    )
    make.append(flow, [make.event(f"b{i}", 95 + i) for i in range(20)])
    drain(flow)
    drain(reader)
    assert look() == []
    Held.objects.update(due_at=0)
    clock.tick()
    assert look() == []
    wait_until(lambda: settled(flow))
    letters = list(DeadLetter.objects.filter(flow=flow))
    assert len(letters) == 29 + 14
    assert look() == []
    broken["on"] = False
    for letter in letters:
        make.redrive(letter.pk)
    assert look() == []
    wait_until(lambda: settled(flow))
    assert Trace.objects.filter(flow=flow, run=1, state="ok").count() == len(letters)
    assert not Effect.objects.exists()
    assert look() == []
    assert not Alarm.objects.exists()
    assert not Counter.objects.filter(name="in:again", node="in").exists()


def test_no_alarm_while_events_wait_for_one_another() -> None:
    """The first event of a window is held, the others end in it; the window goes on by itself."""
    window = {"kind": "count", "count": 3, "seconds": 600}
    body = make.document(
        "threes",
        [("in", "producer.http", {}), ("three", "filter.window", window), END],
        ["in:out three", "three:out end"],
    )
    flow = make.published(body)
    for start in range(0, 8, 2):
        make.append(flow, [make.event(f"a{i}", subject="7") for i in (start, start + 1)])
        drain(flow)
        assert look() == []
    assert Held.objects.exists()
    Held.objects.update(due_at=0)
    clock.tick()
    assert look() == []
    assert sum(Counter.objects.filter(node="end", name="delivered").values_list("n", flat=True)) > 2


def test_no_alarm_when_a_producer_goes_and_comes_back() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"a{i}") for i in range(5)])
    drain(flow)
    assert look() == []
    other = make.document("orders", [("new", "producer.http", {}), END], ["new:out end"])
    make.append(flow, [make.event(f"b{i}") for i in range(5)])
    publishing.publish(flow, other, unread="expire")
    assert look() == []
    make.append(flow, [make.event(f"c{i}") for i in range(5)])  # while nobody reads it
    publishing.publish(flow, make.order_document(), unread="expire")
    make.append(flow, [make.event(f"d{i}") for i in range(5)])
    drain(flow)
    assert Trace.objects.count() == 10
    assert look() == []
    assert sum(CursorCheck.objects.values_list("checked", flat=True)) == 20


def test_no_alarm_when_retention_takes_what_was_not_checked_yet() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"a{i}") for i in range(20)])
    drain(flow)
    Event.objects.update(accepted_at=time.time() - 30 * 86_400)
    jobs.prune()
    assert not Trace.objects.exists()
    assert look() == []
    make.append(flow, [make.event(f"b{i}") for i in range(20)])
    drain(flow)
    assert look() == []
    assert sum(CursorCheck.objects.values_list("checked", flat=True)) == 40


def lose_a_held_row() -> None:
    held = Held.objects.order_by("number").first()
    assert held is not None
    Held.objects.filter(flow=held.flow_id, number=held.number).delete()


def _fewer(node: str, name: str) -> None:
    row = Counter.objects.filter(node=node, name=name).order_by("partition").first()
    assert row is not None
    found = Counter.objects.filter(node=node, name=name, partition=row.partition)
    found.update(n=row.n - 1)


def lose_a_trace() -> None:
    trace = Trace.objects.order_by("number").first()
    assert trace is not None
    Trace.objects.filter(
        subscription_id=trace.subscription_id, partition=trace.partition, offset=trace.offset
    ).delete()


def skip_an_event() -> None:
    """A cursor that goes on without taking."""
    row = Cursor.objects.order_by("partition").first()
    assert row is not None
    Cursor.objects.filter(partition=row.partition).update(position=row.position + 1)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (lose_a_held_row, [("wait", "outcomes", 1)]),
        (lambda: _fewer("in", "passed"), [("in", "outcomes", 1)]),
        (lambda: _fewer("wait", "arrived"), [("wait", "outcomes", 1), ("wait", "arrivals", 1)]),
        (lambda: _fewer("wait", "in:wire"), [("wait", "arrivals", 1)]),
        (lose_a_trace, [("in", "traces", 1)]),
        (skip_an_event, [("in", "arrivals", 1), ("in", "traces", 1)]),
    ],
)
def test_a_gap_is_found(plant: Callable[[], None], found: Alarmed) -> None:
    flow = waiting_flow()
    make.append(flow, [make.event(f"a{i}") for i in range(20)])
    drain(flow)
    plant()
    assert look() == found


def test_a_trace_that_is_lost_after_it_was_checked_is_missed_too() -> None:
    flow = waiting_flow()
    make.append(flow, [make.event(f"a{i}") for i in range(20)])
    drain(flow)
    assert look() == []
    lose_a_trace()
    assert look() == [("in", "traces", 1)]


def test_an_alarm_is_raised_once_and_resolves_itself() -> None:
    flow = waiting_flow()
    make.append(flow, [make.event(f"a{i}") for i in range(20)])
    drain(flow)
    lost = Held.objects.order_by("number").first()
    assert lost is not None
    Held.objects.filter(number=lost.number).delete()
    assert look() == [("wait", "outcomes", 1)]
    first = Alarm.objects.get()
    assert first.says.startswith(f"Partition {lost.partition}: ")
    assert look() == [("wait", "outcomes", 1)]
    again = Alarm.objects.get()
    assert again.first_seen == first.first_seen
    assert again.last_seen > first.last_seen
    noted = alarms.acknowledge(flow.workspace_id, first.pk, None)
    assert noted is not None and noted.state == "acknowledged"
    look()
    assert Alarm.objects.get().state == "acknowledged"
    lost.save(force_insert=True)
    assert look() == []
    resolved = Alarm.objects.get()
    assert resolved.state == "resolved" and resolved.resolved_at is not None
    assert noted.acknowledged_at is not None
    # The same again is a new alarm, and an old one is forgotten after a month.
    Held.objects.filter(number=lost.number).delete()
    assert look() == [("wait", "outcomes", 1)]
    assert Alarm.objects.count() == 2
    Alarm.objects.filter(pk=first.pk).update(resolved_at=time.time() - 31 * 86_400)
    retention.prune()
    assert Alarm.objects.get().state == "open"


def test_only_flows_that_are_due_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = waiting_flow()
    assert audit() == 1
    assert audit() == 0
    make.append(flow, [make.event("a")])
    drain(flow)
    assert audit() == 0  # something happened, but it was looked at a moment ago
    FlowCheck.objects.update(due_at=0)
    assert audit() == 1
    FlowCheck.objects.update(due_at=0)
    assert audit() == 0  # nothing happened since
    FlowCheck.objects.update(checked_at=0)
    assert audit() == 1  # but now and then


def test_a_long_backlog_is_checked_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_TRACES", 10)
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"a{i}") for i in range(35)])
    drain(flow)
    rounds = 0
    while audit():
        rounds += 1
    assert rounds == 4
    assert sum(CursorCheck.objects.values_list("checked", flat=True)) == 35


def test_a_round_ends_soon_and_the_next_one_looks_at_what_it_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "_ROUND_SECONDS", 0.0)
    for slug in ("one", "two"):
        make.published(make.order_document(slug))
    assert [audit() for _ in range(3)] == [1, 1, 0]
    assert FlowCheck.objects.count() == 2
