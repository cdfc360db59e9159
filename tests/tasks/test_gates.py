"""Limits and breakers: what may not go out yet waits, nothing leaks, nothing is lost."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.engine.effects import Reply
from workflows.engine.limits import Limits
from workflows.models import DeadLetter, Effect, Flow, Gate, Slot, Trace
from workflows.storage import gates, passage, sql, work
from workflows.tasks import gating, jobs
from workflows.tasks.owner import owner


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


def test_all_nodes_that_use_a_connection_keep_its_limit() -> None:
    config = {"task": "book", "broker": "billing"}
    for slug in ("orders", "others"):
        nodes: list[make.Node] = [
            ("in", "producer.http", {}),
            ("t", "consumer.celery_task", config),
        ]
        flow = make.published(make.document(slug, nodes, ["in:out t"]))
        gates.set_limits(flow.workspace_id, "celery:billing", Limits(at_once=1))
        _park(flow, "t", "celery:billing")
    assert len(_take()) == 1


def _park(flow: Flow, node: str, to: str, numbers: Sequence[int] = (1,)) -> None:
    """Calls that are due, in this order."""
    assert flow.published is not None
    Effect.objects.bulk_create(
        Effect(
            flow=flow,
            number=number,
            version=flow.published,
            node=node,
            subscription_id=flow.subscription_set.get().pk,
            partition=0,
            offset=0,
            path=0,
            destination=to,
            request=b"{}",
            timeout_seconds=10.0,
            due_at=float(number),
        )
        for number in numbers
    )


def _take() -> list[work.TakenEffect]:
    """What may go out of the first calls that are due."""
    with sql.write():
        return gating.hold_back(work.take_effects(owner(), 40), ()).rows


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


@pytest.fixture
def broken(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """A flow whose destination has failed so often that its breaker is open."""
    monkeypatch.setattr(gates, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(passage, "PROBE_SECONDS", 0.2)
    sink.answer = lambda call: (503, {}, b"")
    flow = _flow(sink, retry=RETRY)
    _send(flow, 30)
    wait_until(lambda: Gate.objects.filter(opened_at__isnull=False).exists())
    return flow


def test_a_destination_that_is_down_is_left_alone_and_tried_by_one(
    sink: Sink, broken: Flow
) -> None:
    wait_until(lambda: not Effect.objects.exclude(owner="").exists())
    before = len(sink.calls)
    _send(_flow(sink, "others", retry=RETRY), 20)
    wait_until(lambda: Gate.objects.get(opened_at__isnull=False).pause_seconds >= 1.0)
    assert len(sink.calls) == before + 1, "a single effect tries it"


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


def test_thousands_that_wait_for_what_is_down_are_not_in_the_way_of_others() -> None:
    flow = make.published(make.order_document())
    gates.open_breaker(flow.workspace_id, "mail", "No route.")
    _park(flow, "end", "mail", range(2_000))
    _park(flow, "end", "celery:billing", [2_001])
    looks = [_take() for _ in range(3)]
    assert [len(rows) for rows in looks] == [0, 0, 1]


def test_an_answer_that_is_known_already_needs_no_gate() -> None:
    flow = make.published(make.order_document())
    gates.open_breaker(flow.workspace_id, "mail", "No route.")
    _park(flow, "end", "mail")
    with sql.write():
        found = gating.hold_back(work.take_effects(owner(), 40), {(flow.pk, 1)})
    assert (len(found.rows), found.probes) == (1, set())


def test_a_good_try_opens_the_way_also_from_a_process_that_had_not_heard_of_it() -> None:
    gates.open_breaker(7, "mail", "No route.")
    gating.Breakers().note(7, "mail", Reply(ok=True, status=200), is_probe=True)
    assert Gate.objects.get().opened_at is None


def test_what_was_under_way_when_a_destination_went_down_says_nothing_new() -> None:
    known = gating.Breakers()
    _fail(known, gating.THRESHOLD * 3)
    assert Gate.objects.get().pause_seconds == gates.FIRST_PAUSE
    _fail(known, 1, is_probe=True)
    assert Gate.objects.get().pause_seconds == gates.FIRST_PAUSE * 2


def test_what_another_process_has_closed_takes_as_many_failures_again() -> None:
    known = gating.Breakers()
    _fail(known, gating.THRESHOLD)
    gates.close_breaker(7, "mail")
    _fail(known, gating.THRESHOLD - 1)
    assert Gate.objects.get().opened_at is None
    _fail(known, 1)
    assert Gate.objects.get().opened_at is not None


def _fail(known: gating.Breakers, times: int, *, is_probe: bool = False) -> None:
    for _ in range(times):
        known.note(7, "mail", Reply(ok=False, error="timeout"), is_probe=is_probe)


def test_refusals_do_not_open_a_breaker(sink: Sink) -> None:
    sink.answer = lambda call: (404, {}, b"")
    flow = _flow(sink)
    _send(flow, gating.THRESHOLD * 2)
    wait_until(lambda: _done(flow))
    assert not Gate.objects.exists()
