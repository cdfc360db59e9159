"""What blocks a lane is seen, and ended by hand: once, balanced, and never while it is called."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from django.db import connection

from tests import make
from tests.accounting import assert_balanced
from tests.explain import plan_of, reads_all_of
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import DeadLetter, Effect, Flow, Held, Trace
from workflows.storage import accounting, lanes, traces, work
from workflows.storage.parts import TraceRef
from workflows.tasks import jobs
from workflows.tasks.lanes import Act, NotNow, set_aside
from workflows.tasks.owner import owner

PATIENT = {"first_seconds": 600.0, "cap_seconds": 600.0}


def ordered(sink: Sink, *middle: make.Node) -> Flow:
    """A flow in order per key that holds at `middle`, if given, and then calls the sink."""
    nodes = [
        ("in", "producer.http", {"key": "event.data.who"}),
        *middle,
        ("call", "consumer.http", {"url": f"{sink.url}/", "retry": PATIENT}),
    ]
    wires = [f"{a[0]}:out {b[0]}" for a, b in pairwise(nodes)]
    body = make.document("orders", nodes, wires)
    return make.published({**body, "settings": {"ordering": "key"}})


def send(flow: Flow, *ids: str) -> None:
    """Events whose key is their id's first letter, taken by the flow."""
    make.append(flow, [make.event(one, data={"who": one[0]}, partitionkey=one[0]) for one in ids])
    jobs.drain(flow.subscription_set.get().pk)


def refusing(*ids: str) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    return lambda call: (503 if call.json["id"] in ids else 200, {}, b"")


@pytest.fixture
def stuck(sink: Sink) -> Iterator[Flow]:
    """Three events of the key a, the first of which was refused and waits for its next try."""
    flow = ordered(sink)
    sink.answer = refusing("a1")
    send(flow, "a1", "a2", "a3", "b1")
    jobs.tick()
    wait_until(lambda: Effect.objects.filter(owner="", failure__isnull=False).exists())
    wait_until(lambda: Trace.objects.filter(flow=flow, state="ok").count() == 1)
    yield flow


def head_of(flow: Flow) -> lanes.Head:
    (blocked,) = lanes.blocked(flow.pk).lanes
    return blocked.head


def done(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def trace_of(event_id: str) -> Trace:
    return Trace.objects.get(event_id=event_id)


def test_a_lane_tells_who_blocks_it_and_why(stuck: Flow) -> None:
    (blocked,) = lanes.blocked(stuck.pk).lanes
    assert (blocked.event_id, blocked.waiting, blocked.head.node) == ("a1", 2, "call")
    head = blocked.head
    assert (head.lane, head.attempt, head.under_way_since) == ("a", 1, None)
    assert head.failure is not None and "503" in head.failure["message"]
    assert head.due_at > blocked.waits_since + 60


@pytest.mark.parametrize(("act", "state"), [("skip", "filtered"), ("park", "failed")])
def test_the_next_one_goes_on_at_once(stuck: Flow, sink: Sink, act: Act, state: str) -> None:
    set_aside(stuck.pk, head_of(stuck).number, act, "olga")
    wait_until(lambda: done(stuck))
    assert [call.json["id"] for call in sink.calls if call.json["id"][0] == "a"] == [
        "a1",
        "a2",
        "a3",
    ]
    assert trace_of("a1").state == state
    assert trace_of("a2").state == trace_of("a3").state == "ok"
    assert_balanced(stuck)


def test_what_is_skipped_says_by_whom(stuck: Flow) -> None:
    set_aside(stuck.pk, head_of(stuck).number, "skip", "olga")
    row = trace_of("a1")
    steps = [
        step
        for segment in traces.segments(
            TraceRef(row.subscription_id, row.partition, row.offset, row.run)
        )
        for step in segment["steps"]
    ]
    assert (steps[-1]["o"], steps[-1]["w"]) == ("filtered", {"reason": "Skipped by olga."})
    assert not DeadLetter.objects.exists()


def test_what_is_parked_can_be_redriven(stuck: Flow, sink: Sink) -> None:
    set_aside(stuck.pk, head_of(stuck).number, "park", "olga")
    letter = DeadLetter.objects.get()
    assert (letter.event_id, letter.failure["kind"], letter.attempts) == ("a1", "parked", 1)
    assert letter.failure["message"] == "Parked by olga."
    assert "503" in letter.failure["detail"]["last_failure"]["message"]
    wait_until(lambda: done(stuck))
    assert_balanced(stuck)
    sink.answer = refusing()
    make.redrive(letter.pk)
    wait_until(lambda: done(stuck))
    assert [call.json["id"] for call in sink.calls][-1] == "a1"
    assert accounting.examine(stuck.pk, 100).findings == []


def test_two_clicks_have_one_effect(stuck: Flow) -> None:
    number = head_of(stuck).number

    def click(_: int) -> bool:
        try:
            set_aside(stuck.pk, number, "park", "olga")
        except NotNow:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(click, range(4))) == [False, False, False, True]
    assert DeadLetter.objects.count() == 1
    wait_until(lambda: done(stuck))
    assert_balanced(stuck)


def test_what_is_not_at_the_head_stays(stuck: Flow) -> None:
    behind = Effect.objects.filter(due_at__gt=1e17).first()
    assert behind is not None
    for number in (behind.number, 999_999):
        with pytest.raises(NotNow, match="head"):
            set_aside(stuck.pk, number, "skip", "olga")
    assert Effect.objects.count() == 3


def test_a_call_under_way_is_left_alone(stuck: Flow) -> None:
    number = head_of(stuck).number
    Effect.objects.filter(number=number).update(due_at=0)
    (taken,) = work.take_effects("worker", 1)
    with pytest.raises(NotNow, match="right now"):
        set_aside(stuck.pk, number, "skip", "olga")
    assert Effect.objects.get(number=taken.number).owner == "worker"
    Effect.objects.filter(number=number).update(due_at=1)  # its worker is gone
    set_aside(stuck.pk, number, "skip", "olga")
    wait_until(lambda: done(stuck))
    assert_balanced(stuck)


def test_who_takes_the_head_first_has_it(stuck: Flow) -> None:
    seen = head_of(stuck)
    Effect.objects.filter(number=seen.number).update(due_at=0)
    work.take_effects(owner(), 1)
    assert not lanes.claim(seen, "by hand")
    work.hand_back_effects(owner())
    assert not lanes.claim(seen, "by hand"), "it was called once more than was seen"


def test_what_a_node_holds_can_be_set_aside_too(sink: Sink) -> None:
    flow = ordered(sink, ("wait", "filter.delay", {"seconds": 600}))
    send(flow, "a1", "a2")
    head = head_of(flow)
    assert (head.is_held, head.node) == (True, "wait")
    set_aside(flow.pk, head.number, "skip", "olga")
    assert trace_of("a1").state == "filtered"
    assert Held.objects.get().due_at < 1e12
    assert_balanced(flow)


def test_what_others_have_joined_is_not_set_aside(sink: Sink) -> None:
    window = {"kind": "tumbling", "seconds": 600, "key": "event.data.who"}
    flow = ordered(sink, ("sum", "filter.window", window))
    send(flow, "a1", "a2")
    held = Held.objects.get()
    with pytest.raises(NotNow, match="other events"):
        set_aside(flow.pk, held.number, "park", "olga")
    assert Held.objects.count() == 1


def many(flow: Flow, node: str, rows: list[tuple[int, str]]) -> None:
    """Parked rows (number, lane), as a drain leaves them."""
    assert flow.published is not None
    Effect.objects.bulk_create(
        Effect(
            flow=flow,
            number=number,
            version=flow.published,
            node=node,
            subscription_id=1,
            partition=0,
            offset=number,
            path=0,
            lane=lane,
            key="k",
            request=b"{}",
            timeout_seconds=10,
            since=float(number),
            due_at=1e18,
        )
        for number, lane in rows
    )


def test_blocked_lanes_are_paged_both_ways_the_longest_blocked_first(sink: Sink) -> None:
    flow = ordered(sink)
    many(flow, "call", [(n, f"key {n % 10}") for n in range(1, 26)])
    first = lanes.blocked(flow.pk, limit=4)
    assert [one.head.number for one in first.lanes] == [1, 2, 3, 4]
    assert [one.waiting for one in first.lanes] == [2, 2, 2, 2]
    assert [one.waits_since for one in first.lanes] == [11.0, 12.0, 13.0, 14.0]
    second = lanes.blocked(flow.pk, 4, 4)
    third = lanes.blocked(flow.pk, 8, 4)
    assert [one.head.number for page in (second, third) for one in page.lanes] == list(range(5, 11))
    assert (first.is_more, second.is_more, third.is_more) == (True, True, False)
    back = lanes.blocked(flow.pk, 9, 4, backwards=True)
    assert [one.head.number for one in back.lanes] == [5, 6, 7, 8]
    assert back.is_more and back.is_whole


def test_lanes_are_looked_up_by_an_index(sink: Sink) -> None:
    flow = ordered(sink)
    many(flow, "call", [(n, f"key {n % 10}") for n in range(1, 26)])
    plan = plan_of(lambda: (lanes.blocked(flow.pk), lanes.find_head(flow.pk, 1)))
    assert "effect_lane" in plan and "held_lane" in plan
    assert not reads_all_of("workflows_effect", plan), plan
    assert not reads_all_of("workflows_held", plan), plan
