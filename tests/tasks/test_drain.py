"""A drain: decide, commit, act, settle."""

import time

import msgspec
import orjson
import pytest
from django.db import connection

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Sink, Stall
from workflows.models import (
    DeadLetter,
    Effect,
    Event,
    Flow,
    Held,
    Segment,
    Subscription,
    Trace,
)
from workflows.storage import channeledits, cursors, flows, publishing, sql, timers
from workflows.tasks import clock, due, jobs, process
from workflows.tasks.drain import drain_slice
from workflows.tasks.inhand import NODE_LIMIT


def _http(sink: Sink, **config: object) -> make.Node:
    return ("call", "consumer.http", {"url": f"{sink.url}/orders", **config})


def _subscription(flow: Flow, node: str = "in") -> Subscription:
    return Subscription.objects.get(flow=flow, node=node)


def _drain(flow: Flow, node: str = "in") -> None:
    while drain_slice(_subscription(flow, node).pk):
        pass


def _settled(flow: Flow) -> bool:
    return not Trace.objects.filter(flow=flow, state="running").exists()


def test_events_walk_through_and_leave_traces_that_tell_why(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=_http(sink)))
    make.append(flow, [make.event("big", 150), make.event("small", 50)])
    _drain(flow)
    (call,) = sink.wait_for(1)
    assert call.json["data"] == {"amount": 150, "total_with_vat": 180.0}
    assert call.headers["content-type"].startswith("application/cloudevents+json")
    wait_until(lambda: _settled(flow))
    states = dict(Trace.objects.filter(flow=flow).values_list("event_id", "state"))
    assert states == {"big": "ok", "small": "filtered"}
    small = Trace.objects.get(flow=flow, event_id="small")
    steps = orjson.loads(bytes(small.steps))["steps"]
    assert [(step["n"], step["o"]) for step in steps] == [("in", "passed"), ("big", "filtered")]
    assert steps[1]["w"]["condition"][0]["values"] == {"event.data.amount": 50}
    assert not Effect.objects.exists()
    assert_balanced(flow)


def test_what_was_taken_is_not_taken_again(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=_http(sink)))
    make.append(flow, [make.event(str(i)) for i in range(20)])
    _drain(flow)
    _drain(flow)
    sink.wait_for(20)
    wait_until(lambda: _settled(flow))
    assert sorted(sink.ids(), key=int) == [str(i) for i in range(20)]
    assert cursors.lag_of_flow(flow.pk) == 0


def test_a_paused_flow_holds_its_events_and_goes_on_when_resumed() -> None:
    flow = make.published(make.order_document())
    flows.set_paused(flow, True)
    make.append(flow, [make.event("a")])
    _drain(flow)
    assert not Trace.objects.exists()
    assert cursors.lagging() == []
    flows.set_paused(flow, False)
    assert cursors.lagging() == [_subscription(flow).pk]
    _drain(flow)
    assert Trace.objects.count() == 1


def test_a_failed_call_is_made_again_under_the_same_key(sink: Sink) -> None:
    sink.answer = lambda call: (503, {}, b"") if len(sink.calls) < 2 else (200, {}, b"")
    retry = {"first_seconds": 0.05, "cap_seconds": 0.05}
    flow = make.published(make.order_document(consumer=_http(sink, retry=retry)))
    make.append(flow, [make.event("a")])
    _drain(flow)

    def look() -> bool:
        jobs.tick()
        return _settled(flow)

    wait_until(look)
    assert [call.key for call in sink.calls] == [sink.calls[0].key] * 3
    trace = Trace.objects.get(flow=flow)
    assert (trace.state, trace.open) == ("ok", 0)
    outcomes = [
        step["o"]
        for segment in Segment.objects.order_by("change")
        for step in orjson.loads(bytes(segment.steps))["steps"]
    ]
    assert outcomes == ["retrying", "retrying", "delivered"]
    assert_balanced(flow)


def test_what_fails_for_good_becomes_a_dead_letter_and_can_be_redriven(sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no such customer")
    flow = make.published(make.order_document(consumer=_http(sink)))
    make.append(flow, [make.event("a")])
    _drain(flow)
    wait_until(lambda: _settled(flow))
    letter = DeadLetter.objects.get(flow=flow)
    assert (letter.node, letter.state, letter.event_id) == ("call", "open", "a")
    assert Trace.objects.get(flow=flow).state == "failed"
    assert_balanced(flow)
    sink.answer = lambda call: (200, {}, b"")
    make.redrive(letter.pk)
    make.redrive(letter.pk)  # two clicks, one run
    sink.wait_for(2)
    wait_until(lambda: _settled(flow))
    assert Trace.objects.get(flow=flow, run=1).state == "ok"
    assert DeadLetter.objects.get().state == "redriven"
    assert len(sink.calls) == 2
    assert sink.calls[0].key == sink.calls[1].key


def test_an_effect_whose_worker_died_is_made_again_when_its_lease_is_over(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=_http(sink)))
    make.append(flow, [make.event("a")])
    sink.answer = stall = Stall()
    _drain(flow)
    stall.wait_for(1)
    # As if this process had died: its lease is another owner's, and has run out.
    Effect.objects.update(owner="dead worker", due_at=0)
    jobs.tick()
    stall.wait_for(2)
    stall.go_on.set()
    wait_until(lambda: _settled(flow))
    assert stall.calls[0].key == stall.calls[1].key
    assert Trace.objects.get(flow=flow).delivered == 1  # the late reply changed nothing
    assert_balanced(flow)


def test_what_was_taken_and_not_called_is_given_back_and_called_once(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=_http(sink)))
    full = [(flow.pk, "call")] * NODE_LIMIT
    assert all(process.performer().room.admit(full))
    make.append(flow, [make.event("a")])
    _drain(flow)  # there was no place for the call: its row is due
    (flight,), _ = due.take(1, [])
    due.give_back([flight])
    assert Effect.objects.values_list("owner", "attempt").get() == ("", 0)
    (again,), _ = due.take(1, [])
    due.give_back([msgspec.structs.replace(flight, attempt=7)])  # somebody else has it now
    assert Effect.objects.values_list("attempt", flat=True).get() == 1
    due.give_back([again])
    process.performer().room.leave(full)
    jobs.tick()
    sink.wait_for(1)
    wait_until(lambda: _settled(flow))
    assert len(sink.calls) == 1
    assert_balanced(flow)


def test_more_effects_than_places_are_all_performed(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=_http(sink)))
    make.append(flow, [make.event(str(i)) for i in range(300)])
    _drain(flow)
    sink.wait_for(300, 30)
    wait_until(lambda: _settled(flow))
    assert len(set(sink.ids())) == len(sink.calls) == 300
    assert_balanced(flow)


def test_a_delay_holds_and_releases() -> None:
    body = make.document(
        "later",
        [("in", "producer.http", {}), ("wait", "filter.delay", {"seconds": 60}), make_log()],
        ["in:out wait", "wait:out end"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    _drain(flow)
    held = Held.objects.get(flow=flow)
    assert held.until > time.time() + 50
    clock.tick()
    assert Trace.objects.get().state == "running"
    assert_balanced(flow)
    Held.objects.update(due_at=0)
    clock.tick()
    assert Trace.objects.get().state == "ok"
    assert not Held.objects.exists()
    assert_balanced(flow)


def make_log() -> make.Node:
    return ("end", "consumer.log", {})


def test_a_repeat_by_key_is_set_aside_across_batches() -> None:
    body = make.document(
        "once",
        [
            ("in", "producer.http", {}),
            ("once", "filter.dedupe", {"key": "event.data.amount", "window_seconds": 60}),
            make_log(),
        ],
        ["in:out once", "once:fresh end"],
    )
    flow = make.published(body)
    for name, amount in (("a", 1), ("b", 2), ("c", 1)):
        make.append(flow, [make.event(name, amount)])
        _drain(flow)
    states = dict(Trace.objects.values_list("event_id", "state"))
    assert states == {"a": "ok", "b": "ok", "c": "filtered"}
    assert_balanced(flow)


def test_a_simulator_goes_through_the_same_log() -> None:
    body = make.document(
        "sim", [("sim", "producer.simulator", {"rate": 10}), make_log()], ["sim:out end"]
    )
    flow = make.published(body)
    wait_until(lambda: timers.due() or None)
    clock.tick()
    clock.tick()
    count = Event.objects.count()
    assert count >= 1
    _drain(flow, "sim")
    assert Trace.objects.filter(flow=flow, state="ok").count() == count


def test_publishing_to_a_channel_is_part_of_the_commit() -> None:
    first = make.document(
        "first",
        [("in", "producer.http", {}), ("out", "consumer.channel", {"channel": "shared"})],
        ["in:out out"],
    )
    second = make.document(
        "second", [("in", "producer.channel", {"channel": "shared"}), make_log()], ["in:out end"]
    )
    one, two = make.published(first), make.published(second)
    make.append(one, [make.event("a")])
    _drain(one)
    _drain(two)
    assert Trace.objects.get(flow=two).state == "ok"
    assert_balanced(one)
    assert_balanced(two)


def test_what_a_flow_publishes_gets_the_key_of_its_channel() -> None:
    channeledits.make(make.workspace().pk, "shared", key_expression="event.data.amount")
    out = ("out", "consumer.channel", {"channel": "shared"})
    inbox = ("in", "producer.http", {"key": "event.type"})
    flow = make.published(make.document("first", [inbox, out], ["in:out out"]))
    make.append(flow, [make.event("a", 7)])
    _drain(flow)
    keys = dict(Event.objects.values_list("channel__slug", "key"))
    assert keys == {"first.in": "OrderCreated", "shared": "7"}


def test_publishing_without_a_producer_asks_what_becomes_of_its_unread_events() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    other = make.document("orders", [("new", "producer.http", {}), make_log()], ["new:out end"])
    with pytest.raises(publishing.Unread) as asked:
        publishing.publish(flow, other)
    assert asked.value.nodes == {"in": 1}
    publishing.publish(flow, other, unread="finish")
    _drain(flow)
    cursors.close_finished()
    assert Trace.objects.get().version == 1
    assert _subscription(flow).state == "closed"


def test_a_memory_that_changed_since_it_was_read_makes_the_walk_decide_again() -> None:
    body = make.document(
        "once",
        [
            ("in", "producer.http", {}),
            ("once", "filter.dedupe", {"key": "event.data.amount", "window_seconds": 60}),
            make_log(),
        ],
        ["in:out once", "once:fresh end"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a", 1)])
    other = make.event("b", 1)
    real = sql.write
    interfered = []

    def interfere() -> object:
        if not interfered:  # between the walk's read and its commit, another drain gets in
            interfered.append(True)
            make.append(flow, [other])
            with real():
                sql.execute(
                    "INSERT INTO workflows_memory (flow_id, node, version) VALUES (%s, 'once', 7)",
                    (flow.pk,),
                )
        return real()

    sql.write = interfere  # type: ignore[assignment]
    try:
        _drain(flow)
    finally:
        sql.write = real
    _drain(flow)
    states = sorted(Trace.objects.values_list("event_id", "state"))
    assert [state for _, state in states].count("ok") == 1
    assert_balanced(flow)
    assert connection.vendor in ("sqlite", "postgresql")


def test_whatever_a_flow_derives_can_be_committed(sink: Sink) -> None:
    """NUL characters and endless texts: PostgreSQL refuses both in narrow columns, and an event
    that can't be committed would stop its partition for ever."""
    sink.answer = lambda call: (400, {}, b"no\x00")
    channel = ("out", "consumer.channel", {"channel": "shared"})
    body = make.document(
        "odd",
        [
            ("in", "producer.http", {}),
            ("shape", "filter.transform", {"set": {"type": "event.data.text"}}),
            ("once", "filter.dedupe", {"key": "event.data.text"}),
            channel,
            _http(sink, url=f"{sink.url}/${{event.data.short}}"),
            ("fail", "filter.condition", {"condition": "event.data[event.data.text] == 1"}),
        ],
        ["in:out shape", "shape:out once", "once:fresh out", "once:fresh call", "in:out fail"],
    )
    flow = make.published(body)
    reader = make.document(
        "reader", [("in", "producer.channel", {"channel": "shared"}), make_log()], ["in:out end"]
    )
    other = make.published(reader)
    texts = ["a\x00b", "x" * 5000, "\\u0000", "ü" * 300]
    make.append(
        flow,
        [
            make.event(f"{i}" + "y" * 250, data={"text": text, "short": text[:5]})
            for i, text in enumerate(texts)
        ],
    )
    _drain(flow)
    wait_until(lambda: _settled(flow))
    _drain(other)
    assert cursors.lag_of_flow(flow.pk) == cursors.lag_of_flow(other.pk) == 0
    assert Trace.objects.filter(flow=other).count() >= 3
    assert DeadLetter.objects.filter(flow=flow).exists()
    assert_balanced(flow)
    assert_balanced(other)
