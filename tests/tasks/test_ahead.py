"""Effects that are made before the commit that takes their events (ADR 23)."""

import threading
import time
from typing import Any

import orjson
import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink, Stall
from tests.tasks.replaying import play
from workflows.models import Channel, Cursor, Effect, Flow, Segment, Subscription, Trace
from workflows.storage import cursors, flows, publishing, replays
from workflows.storage.parts import Fenced
from workflows.storage.plans import load_plan
from workflows.storage.replays import Wish
from workflows.tasks import calls, choice, drain, inhand
from workflows.tasks.drain import drain_slice
from workflows.tasks.owner import owner
from workflows.tasks.process import performer

OK: Answer = (200, {}, b"ok")
MANY = 60  # events: a backlog that is worth it


@pytest.fixture(autouse=True)
def _on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """How soon is soon must not depend on what else runs."""
    monkeypatch.setattr(inhand, "_QUICK_MS", 60_000.0)
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 30.0)


def _calling(sink: Sink, **more: Any) -> Flow:
    """A flow that calls the sink, of which nothing bad is known."""
    settings = more.pop("settings", {})
    node: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/orders", **more})
    body = {**make.order_document(consumer=node), "settings": settings}
    body["nodes"][0]["config"]["key"] = "event.subject"
    return make.published(body)


def _events(count: int = MANY, start: int = 0) -> list[dict[str, Any]]:
    return [make.event(f"e{n}", subject=f"s{n}") for n in range(start, start + count)]


def _subscription(flow: Flow) -> int:
    return int(Subscription.objects.get(flow=flow).pk)


def _drain(flow: Flow) -> None:
    while drain_slice(_subscription(flow)):
        pass


def _settled(flow: Flow) -> bool:
    return not Trace.objects.filter(flow=flow, state="running").exists()


def _first_commits(flow: Flow) -> int:
    """Traces that one commit has begun and ended."""
    return Trace.objects.filter(flow=flow, state="ok").count() - Segment.objects.count()


def test_a_long_backlog_is_called_and_committed_at_once(sink: Sink) -> None:
    flow = _calling(sink)
    make.append(flow, _events())
    _drain(flow)
    assert _first_commits(flow) >= MANY - 16, "all but what wasn't worth it at the end"
    wait_until(lambda: _settled(flow))
    assert sorted(sink.ids()) == sorted(f"e{n}" for n in range(MANY))
    assert not Effect.objects.exists()
    trace = Trace.objects.filter(flow=flow).order_by("number")[0]
    steps = orjson.loads(bytes(trace.steps))["steps"]
    assert [(step["n"], step["o"]) for step in steps][-1] == ("call", "delivered")
    assert steps[-1]["x"] > 0, "how long the call took"
    assert trace.ended_at is not None
    assert (trace.ended_at - trace.taken_at) * 1_000 >= steps[-1]["x"], "it wasn't queued meanwhile"
    assert performer().room.used() == 0
    assert_balanced(flow)


def test_what_is_not_answered_soon_is_parked_and_called_only_once(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.01)
    sink.answer = stall = Stall()
    flow = _calling(sink)
    make.append(flow, _events())
    while cursors.lag_of_flow(flow.pk):  # nobody waits for the destination
        drain_slice(_subscription(flow))
    assert Effect.objects.filter(flow=flow).count() == MANY
    stall.go_on.set()
    wait_until(lambda: _settled(flow))
    assert sorted(sink.ids()) == sorted(f"e{n}" for n in range(MANY))
    assert_balanced(flow)


def test_who_did_not_answer_soon_is_no_longer_waited_for(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inhand, "_QUICK_MS", 50.0)
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.1)
    sink.answer = stall = Stall()
    flow = _calling(sink)
    make.append(flow, _events())
    drain_slice(_subscription(flow))
    assert performer().room.ahead(flow.pk) == -1
    stall.go_on.set()
    _drain(flow)
    wait_until(lambda: _settled(flow))


def test_a_call_that_fails_is_made_again_under_the_same_key(sink: Sink) -> None:
    failed: set[str] = set()

    def fail_once(call: Call) -> Answer:
        event_id = call.json["id"]
        if event_id in failed or event_id[-1] in "02468":  # too many in a row open the breaker
            return OK
        failed.add(event_id)
        return 503, {"retry-after": "0"}, b""

    sink.answer = fail_once
    flow = _calling(sink, retry={"first_seconds": 0.05, "attempts": 5})
    make.append(flow, _events(40))
    _drain(flow)

    def done() -> bool:
        performer().look()
        return _settled(flow)

    wait_until(done, 30)
    keys: dict[str, set[str]] = {}
    for call in sink.calls:
        keys.setdefault(call.json["id"], set()).add(call.key)
    assert len(sink.calls) == 60
    assert all(len(found) == 1 for found in keys.values())
    assert Trace.objects.filter(flow=flow, state="ok").count() == 40
    assert_balanced(flow)


def test_a_refusal_becomes_a_dead_letter_in_the_same_commit(sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no")
    flow = _calling(sink)
    make.append(flow, _events(30))
    drain_slice(_subscription(flow))
    wait_until(lambda: _settled(flow))
    assert Trace.objects.filter(flow=flow, state="failed", dead=1).count() == 30
    assert_balanced(flow)


def _publish(flow: Flow) -> None:
    flow = Flow.objects.get(pk=flow.pk)
    assert flow.published is not None
    publishing.publish(flow, flow.published.document)


def _pause(flow: Flow) -> None:
    flows.set_paused(Flow.objects.get(pk=flow.pk), True)


@pytest.mark.parametrize("do", [_publish, _pause], ids=["publish", "pause"])
def test_what_is_called_when_a_version_is_published_or_paused_is_not_called_again(
    sink: Sink, do: Any
) -> None:
    flow = _calling(sink)
    make.append(flow, _events())
    sink.answer = stall = Stall()
    draining = threading.Thread(target=_drain_elsewhere, args=(flow,))
    draining.start()
    try:
        stall.wait_for(1)
        do(flow)
    finally:
        stall.go_on.set()
        draining.join(60)
    flows.set_paused(Flow.objects.get(pk=flow.pk), False)
    _drain(flow)
    wait_until(lambda: _settled(flow))
    assert len(sink.ids()) == len(set(sink.ids())), "nothing was called twice"
    assert Trace.objects.filter(flow=flow, state="ok").count() == MANY
    assert_balanced(flow)


def _drain_elsewhere(flow: Flow) -> None:
    from django.db import connections

    try:
        drain_slice(_subscription(flow))
    finally:
        connections.close_all()


def _acting(flow: Flow) -> cursors.Backlog:
    """What a drain has read that is about to act."""
    subscription_id = _subscription(flow)
    backlog = cursors.unread(subscription_id, owner())
    assert backlog is not None
    cursors.lease(
        subscription_id, [part.partition for part in backlog.parts], owner(), 10.0, acting=True
    )
    backlog = cursors.unread(subscription_id, owner())
    assert backlog is not None
    return backlog


def _take(backlog: cursors.Backlog, looked: float) -> None:
    chosen = choice.Take(choice.shares(backlog.parts, choice.BATCH), acts=True)
    plan = load_plan(backlog.reader.version_id)
    drain.take(backlog.reader, plan, chosen, looked)


def test_who_has_lost_his_lease_meanwhile_commits_nothing_and_keeps_no_place(sink: Sink) -> None:
    flow = _calling(sink)
    make.append(flow, _events(30))
    backlog = _acting(flow)
    Cursor.objects.update(lease_until=0)
    numbers = [part.partition for part in backlog.parts]
    cursors.lease(_subscription(flow), numbers, "another", 10.0)
    with pytest.raises(Fenced):
        _take(backlog, time.monotonic())
    assert not Trace.objects.exists()
    wait_until(lambda: performer().room.used() == 0)


def test_who_meant_to_act_when_the_flow_was_paused_keeps_nobody_waiting(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = _calling(sink)
    make.append(flow, _events(30))
    lease = cursors.lease

    def lease_and_pause(*words: Any, **named: Any) -> int:
        leased = lease(*words, **named)
        _pause(flow)
        return leased

    monkeypatch.setattr(cursors, "lease", lease_and_pause)
    _drain(flow)
    flows.set_paused(Flow.objects.get(pk=flow.pk), False)
    assert not sink.calls
    backlog = cursors.unread(_subscription(flow), "another")
    assert backlog is not None
    assert sum(part.end - part.position for part in backlog.parts) == 30


def test_nothing_is_called_when_the_lease_was_looked_at_long_ago(sink: Sink) -> None:
    flow = _calling(sink)
    make.append(flow, _events(30))
    backlog = _acting(flow)
    _take(backlog, time.monotonic() - 60)
    assert _first_commits(flow) == 0
    performer().look()
    wait_until(lambda: _settled(flow))
    assert Segment.objects.count() == len(sink.calls) == 30


def test_a_walk_that_breaks_off_after_its_calls_gives_back_its_places_once(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = _calling(sink)
    make.append(flow, _events(30))

    def break_off(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as broken, pytest.raises(RuntimeError):
        broken.setattr(calls, "resume", break_off)
        _take(_acting(flow), time.monotonic())
    _drain(flow)
    wait_until(lambda: _settled(flow))
    assert performer().room.used() == 0


def _expire(flow: Flow) -> None:
    Channel.objects.update(lag_policy="expire")


def _nothing(flow: Flow) -> None:
    """As it is."""


@pytest.mark.parametrize(
    ("more", "change", "acts"),
    [
        ({}, _nothing, True),
        ({"settings": {"ordering": "key"}}, _nothing, False),
        ({"limits": {"per_second": 1_000}}, _nothing, False),
        ({}, _expire, False),
    ],
    ids=["as it is", "order is kept", "limited", "what waits too long is passed over"],
)
def test_who_acts_before_the_commit(sink: Sink, more: Any, change: Any, acts: bool) -> None:
    flow = _calling(sink, **more)
    change(flow)
    make.append(flow, _events(20))
    reader = _acting(flow).reader
    assert (drain._ahead(reader, load_plan(reader.version_id), False) > 0) is acts


def test_a_flow_that_remembers_never_acts_before_the_commit(sink: Sink) -> None:
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("last", "filter.on_change", {"value": "event.data.amount"}),
        ("call", "consumer.http", {"url": sink.url}),
    ]
    body = make.document("remembers", nodes, ["in:out last", "last:changed call"])
    flow = make.published(body)
    make.append(flow, _events(20))
    reader = _acting(flow).reader
    assert drain._ahead(reader, load_plan(reader.version_id), False) == -1


def test_a_replay_that_skips_what_is_done_knows_what_was_done_at_once(sink: Sink) -> None:
    flow = _calling(sink)
    make.append(flow, _events())
    _drain(flow)
    wait_until(lambda: _settled(flow))
    assert _first_commits(flow) > 0
    play(replays.start(flow, Wish("skip_done")))

    def done() -> bool:
        performer().look()
        return Trace.objects.filter(flow=flow, state="ok").count() == 2 * MANY

    wait_until(done, 30)
    assert len(sink.calls) == MANY, "nothing was called again"
