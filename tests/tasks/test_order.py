"""Order per key: first in, first out, through retries and delays; a stuck key stops only itself."""

from collections import defaultdict

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.models import DeadLetter, Effect, Flow, Held, Trace
from workflows.tasks import clock, jobs

KEYS = ("a", "b", "c")
AT_ONCE = {"first_seconds": 0.0, "cap_seconds": 0.0}


def _ordered(sink: Sink, *, delay: bool = False, **retry: float) -> Flow:
    nodes: list[make.Node] = [
        ("in", "producer.http", {"key": "event.data.who"}),
        ("wait", "filter.delay", {"seconds": 60}),
        ("call", "consumer.http", {"url": f"{sink.url}/", "retry": {**AT_ONCE, **retry}}),
    ]
    wires = ["in:out wait", "wait:out call"] if delay else ["in:out call"]
    body = make.document("orders", nodes if delay else [nodes[0], nodes[2]], wires)
    return make.published({**body, "settings": {"ordering": "key"}})


def _event(who: str, i: int) -> dict[str, object]:
    return make.event(f"{who}{i:03}", data={"who": who}, partitionkey=who)


def _append(flow: Flow, each: int, start: int = 0) -> None:
    make.append(flow, [_event(who, i) for i in range(start, start + each) for who in KEYS])


def _done(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def _run(flow: Flow) -> None:
    jobs.sweep()
    for subscription in flow.subscription_set.all():
        jobs.drain(subscription.pk)
    wait_until(lambda: _done(flow), 20, "all traces to be done")


def _by_key(calls: list[Call]) -> dict[str, list[str]]:
    """Ids in the order in which the sink saw them; the same one twice in a row is a retry."""
    out: dict[str, list[str]] = defaultdict(list)
    for call in calls:
        event_id = call.json["id"]
        if out[event_id[0]][-1:] != [event_id]:
            out[event_id[0]].append(event_id)
    return out


class Flaky:
    """Refuses each call twice before it takes it."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, int] = defaultdict(int)

    def __call__(self, call: Call) -> Answer:
        self.seen[call.key] += 1
        return (503, {}, b"") if self.seen[call.key] < 3 else (200, {}, b"")


def test_each_key_is_called_in_order_through_retries(sink: Sink) -> None:
    flow = _ordered(sink)
    sink.answer = Flaky()
    _append(flow, 15)
    _run(flow)
    assert _by_key(sink.calls) == {who: [f"{who}{i:03}" for i in range(15)] for who in KEYS}
    assert len(sink.calls) == 15 * 3 * 3
    assert_balanced(flow)


def test_a_later_slice_waits_behind_an_earlier_one(sink: Sink) -> None:
    flow = _ordered(sink)
    sink.answer = Flaky()
    for start in range(0, 12, 3):
        _append(flow, 3, start)
        for subscription in flow.subscription_set.all():
            jobs.drain(subscription.pk)
    _run(flow)
    assert _by_key(sink.calls) == {who: [f"{who}{i:03}" for i in range(12)] for who in KEYS}


def test_a_stuck_key_stops_only_itself(sink: Sink) -> None:
    flow = _ordered(sink, first_seconds=60.0, cap_seconds=60.0)
    sink.answer = lambda call: (503 if call.json["id"] == "a000" else 200, {}, b"")
    _append(flow, 10)
    jobs.drain(flow.subscription_set.get().pk)
    wait_until(lambda: Trace.objects.filter(flow=flow, state="ok").count() == 20)
    assert sorted({call.json["id"][0] for call in sink.calls[1:]} - {"a"}) == ["b", "c"]
    assert [call.json["id"] for call in sink.calls if call.json["id"][0] == "a"] == ["a000"]
    assert Effect.objects.count() == 10
    sink.answer = lambda call: (200, {}, b"")
    Effect.objects.filter(attempt=1).update(due_at=0)
    wait_until(lambda: _done(flow))
    assert _by_key(sink.calls)["a"] == [f"a{i:03}" for i in range(10)]


def test_one_that_dies_lets_the_next_go_on(sink: Sink) -> None:
    flow = _ordered(sink)
    sink.answer = lambda call: (400 if call.json["id"] == "a000" else 200, {}, b"")
    _append(flow, 3)
    _run(flow)
    assert DeadLetter.objects.get().event_id == "a000"
    assert _by_key(sink.calls)["a"] == ["a000", "a001", "a002"]


def test_a_delay_keeps_the_order_of_a_key(sink: Sink) -> None:
    flow = _ordered(sink, delay=True)
    _append(flow, 4)
    jobs.drain(flow.subscription_set.get().pk)
    heads = Held.objects.filter(due_at__lt=1e12)
    assert heads.count() == len(KEYS)
    Held.objects.filter(due_at__lt=1e12).update(due_at=0)
    Held.objects.update(until=0)
    for _ in range(4):
        clock.tick()
    _run(flow)
    assert _by_key(sink.calls) == {who: [f"{who}{i:03}" for i in range(4)] for who in KEYS}
    assert not Held.objects.exists()
    assert_balanced(flow)
