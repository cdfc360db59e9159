"""Limits and breakers: what may not go out yet waits, nothing leaks, nothing is lost."""

import threading
import time
from collections import Counter

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.engine.limits import Limits
from workflows.models import DeadLetter, Effect, Flow, Gate, Slot, Trace
from workflows.storage import gates, passage
from workflows.tasks import gating, jobs


def _flow(sink: Sink, slug: str = "orders", **config: object) -> Flow:
    node: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/{slug}", **config})
    nodes: list[make.Node] = [("in", "producer.http", {}), node]
    return make.published(make.document(slug, nodes, ["in:out call"]))


def _send(flow: Flow, count: int) -> None:
    make.append(flow, [make.event(f"{flow.slug}{i}") for i in range(count)])
    jobs.drain(flow.subscription_set.get().pk)


def _done(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


class Counting:
    """A slow destination that counts how many calls it has at once, in all and of each subject."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Answer:
        names = ("all", call.json.get("subject", ""))
        with self._lock:
            self.now.update(names)
            self.most |= self.now
        time.sleep(0.02)  # the destination's own work
        with self._lock:
            self.now.subtract(names)
        return 200, {}, b""


def test_a_node_keeps_its_limit_of_calls_at_once(sink: Sink) -> None:
    sink.answer = counting = Counting()
    flow = _flow(sink, limits={"at_once": 3})
    _send(flow, 40)
    wait_until(lambda: _done(flow), 20)
    assert (len(sink.calls), counting.most["all"]) == (40, 3)
    assert not Slot.objects.exists()
    assert set(Effect.objects.values_list("attempt", flat=True)) == set()
    assert_balanced(flow)


@pytest.mark.parametrize("per", ["node", "key", "destination"])
def test_a_slot_that_becomes_free_is_used_at_once(sink: Sink, per: str) -> None:
    flow = _flow(sink, limits={} if per == "destination" else {"at_once": 1, "per": per})
    if per == "destination":
        gates.set_limits(flow.workspace_id, sink.url, Limits(at_once=1))
    begun = time.monotonic()
    _send_keyed(flow, {"ada": 60})
    wait_until(lambda: len(sink.calls) == 60, 20)
    assert time.monotonic() - begun < 60 * passage._BUSY_SECONDS * 0.8
    wait_until(lambda: _done(flow))
    assert not Slot.objects.exists()
    assert_balanced(flow)


def test_a_retry_that_waits_is_not_made_earlier_by_a_free_slot(sink: Sink) -> None:
    sink.answer = lambda call: (503 if call.json["id"] == "orders0" else 200, {}, b"")
    retry = {"attempts": 2, "first_seconds": 60}
    flow = _flow(sink, limits={"at_once": 1}, retry=retry)
    _send(flow, 10)
    wait_until(lambda: len(sink.calls) >= 10)
    wait_until(lambda: Effect.objects.count() == 1)
    jobs.tick()
    assert len(sink.calls) == 10
    assert Effect.objects.get().due_at > time.time() + 20


def test_all_flows_together_keep_the_limit_of_a_destination(sink: Sink) -> None:
    sink.answer = counting = Counting()
    flows = [_flow(sink, slug) for slug in ("orders", "others")]
    gates.set_limits(flows[0].workspace_id, sink.url, Limits(at_once=2))
    for flow in flows:
        _send(flow, 15)
    wait_until(lambda: all([_done(flow) for flow in flows]), 20)
    assert (len(sink.calls), counting.most["all"]) == (30, 2)


def _send_keyed(flow: Flow, counts: dict[str, int]) -> None:
    keys = [key for key, count in counts.items() for _ in range(count)]
    make.append(flow, [make.event(f"{key}{i}", subject=key) for i, key in enumerate(keys)])
    jobs.drain(flow.subscription_set.get().pk)


def test_each_key_has_a_limit_of_its_own(sink: Sink) -> None:
    sink.answer = counting = Counting()
    flow = _flow(sink, limits={"at_once": 1, "per": "key"})
    _send_keyed(flow, {"ada": 8, "bob": 8, "eve": 8})
    wait_until(lambda: _done(flow), 20)
    assert len(sink.calls) == 24
    assert {counting.most[key] for key in ("ada", "bob", "eve")} == {1}
    assert counting.most["all"] > 1, "a key doesn't wait for another one"
    assert_balanced(flow)


def test_a_key_with_thousands_waiting_is_not_in_the_way_of_another(sink: Sink) -> None:
    sink.answer = lambda call: (429 if call.json["subject"] == "hot" else 200, {}, b"")
    patience = {"attempts": 0, "first_seconds": 0.2, "cap_seconds": 0.2}
    flow = _flow(sink, limits={"at_once": 1, "per": "key"}, retry=patience)
    _send_keyed(flow, {"hot": 3_000})
    jobs.tick()
    _send_keyed(flow, {"cold": 1})
    wait_until(lambda: Trace.objects.filter(flow=flow, key="cold", state="ok").exists(), 3)


def test_gates_of_many_keys_go_when_the_keys_rest(sink: Sink) -> None:
    flow = _flow(sink, limits={"per_second": 100, "per": "key"})
    _send_keyed(flow, {f"key{n}": 1 for n in range(500)})
    wait_until(lambda: _done(flow), 20)
    assert Gate.objects.count() == 500

    def are_gone() -> bool:
        jobs.prune()
        return not Gate.objects.exists()

    wait_until(are_gone)


def test_a_rate_is_kept_and_used(sink: Sink) -> None:
    moments: list[float] = []

    def note(call: Call) -> Answer:
        moments.append(time.monotonic())
        return 200, {}, b""

    sink.answer = note
    begun = time.monotonic()
    flow = _flow(sink, limits={"per_second": 50})
    _send(flow, 100)
    wait_until(lambda: _done(flow), 20)
    # A call comes after it was let through, never before: so these hold however slow the machine
    # is. At most what half a second saved up, and 50 for each second that passed.
    for calls, moment in enumerate(sorted(moments), 1):
        assert calls <= 26 + 50 * (moment - begun) + 1
    assert len(moments) == 100


def test_slots_of_a_process_that_died_free_themselves(sink: Sink) -> None:
    flow = _flow(sink, limits={"at_once": 1})
    name = gates.node_gate(flow.pk, "call")
    Slot.objects.create(gate=name, flow_id=flow.pk, number=999_999, until=time.time() + 1.0)
    _send(flow, 2)
    jobs.tick()
    assert sink.calls == []
    wait_until(lambda: _done(flow), 10)
    assert len(sink.calls) == 2


RETRY = {"attempts": 3, "first_seconds": 0.01, "cap_seconds": 0.01}


def _break(sink: Sink) -> Flow:
    """A flow whose destination has failed so often that its breaker is open."""
    sink.answer = lambda call: (503, {}, b"")
    flow = _flow(sink, retry=RETRY)
    _send(flow, 30)
    wait_until(lambda: Gate.objects.filter(opened_at__isnull=False).exists())
    return flow


def _rests() -> bool:
    """Whether no call is under way, and none due soon."""
    jobs.tick()
    return not Effect.objects.filter(due_at__lt=time.time() + 600).exists()


@pytest.fixture
def broken(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """The same, and it is tried again soon."""
    monkeypatch.setattr(gates, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(passage, "PROBE_SECONDS", 0.2)
    return _break(sink)


def test_a_destination_that_is_down_is_left_alone_and_tried_by_one(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is, no pause is over before the test says so.
    monkeypatch.setattr(gates, "FIRST_PAUSE", 3_600.0)
    monkeypatch.setattr(gates, "LONGEST_PAUSE", 7_200.0)
    monkeypatch.setattr(passage, "PROBE_SECONDS", 0.2)
    _break(sink)
    wait_until(_rests)
    before = len(sink.calls)
    _send(_flow(sink, "others", retry=RETRY), 20)
    wait_until(_rests)
    assert len(sink.calls) == before, "it is left alone"
    Gate.objects.update(retry_at=0)
    Effect.objects.update(due_at=0)
    wait_until(_rests)
    assert len(sink.calls) == before + 1, "a single effect tries it"
    assert Gate.objects.get().pause_seconds == 7_200.0


def test_when_a_destination_is_back_everything_arrives(sink: Sink, broken: Flow) -> None:
    sink.answer = lambda call: (200, {}, b"")
    wait_until(lambda: _done(broken), 20)
    assert not Gate.objects.filter(opened_at__isnull=False).exists()
    taken = Counter(call.json["id"] for call in sink.calls)
    letters = set(DeadLetter.objects.values_list("event_id", flat=True))
    assert set(taken) == {f"orders{i}" for i in range(30)}
    assert len(letters) < 30, "the breaker saved what had attempts left"
    assert_balanced(broken)


def test_the_failures_of_one_workspace_stop_no_other(sink: Sink, broken: Flow) -> None:
    sink.answer = lambda call: (200, {}, b"")
    space = make.workspace("elsewhere")
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("call", "consumer.http", {"url": f"{sink.url}/there"}),
    ]
    flow = make.published(make.document("there", nodes, ["in:out call"]), space)
    _send(flow, 5)
    wait_until(lambda: len([c for c in sink.calls if c.path == "/there"]) == 5, 0.4 + 5)


def test_refusals_do_not_open_a_breaker(sink: Sink) -> None:
    sink.answer = lambda call: (404, {}, b"")
    flow = _flow(sink)
    _send(flow, gating.THRESHOLD * 2)
    wait_until(lambda: _done(flow))
    assert not Gate.objects.exists()
