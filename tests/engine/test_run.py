"""Does every event come out where it should, accounted for, and the same whenever it runs again?"""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.make import make_arrivals, make_event, make_plan
from workflows.engine.context import NodeContext, Views
from workflows.engine.effects import Reply
from workflows.engine.event import JSON
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.testing import NOW, FakeSurroundings
from workflows.engine.walk import Arrival, Retry, Settlement, Walk

LINE = {"in": "producer.start", "f": "filter.odd", "end": "consumer.end"}


def run_one(plan: Plan, data: JSON) -> Walk:
    return run(plan, FakeSurroundings(), arrivals=make_arrivals([data]))


def outcome(walk: Walk, node: str) -> str:
    (step,) = [step for step in walk.steps if step.node == node]
    return step.outcome


def call_once(plan: Plan, reply: Reply, attempt: int = 1) -> Walk:
    walk = run_one(plan, 1)
    (ask,) = walk.asks
    settlement = Settlement(ask.arrival, ask.effect, reply, attempt)
    return run(plan, FakeSurroundings(), settlements=[settlement])


def comparable(walk: Walk) -> Any:
    walk.steps = [msgspec.structs.replace(step, own_us=0) for step in walk.steps]
    return msgspec.to_builtins(walk, str_keys=False)


# --- outcomes
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("pass", "passed"),
        ("change", "passed"),
        ("nothing", "filtered"),
        ("side", "filtered"),  # that port is not wired
        ("hold", "held"),
        ("bug", "dead"),
        ("refuse", "dead"),
        ("nonsense", "dead"),
        ("flood", "dead"),
        ("ask twice", "dead"),
    ],
)
def test_what_a_node_says_becomes_one_outcome(data: str, expected: str) -> None:
    walk = run_one(make_plan(LINE, "in:out>f", "f:out>end"), data)
    assert outcome(walk, "f") == expected


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("bug", "bug:ZeroDivisionError"),
        ("refuse", "refused"),
        ("nonsense", "bug:result"),
        ("flood", "limit"),
        ("ask twice", "bug:effects"),
    ],
)
def test_a_failure_is_named_and_takes_nothing_else_along(data: str, kind: str) -> None:
    plan = make_plan(LINE, "in:out>f", "f:out>end")
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals([data, "pass"]))
    (dead,) = walk.dead
    assert dead.failure["kind"] == kind
    assert (dead.arrival.node, dead.arrival.event.data, dead.attempts) == ("f", data, 1)
    assert walk.asks == []
    # The event that follows in the batch is not harmed, and the failed one doesn't travel on.
    assert [step.root for step in walk.steps if step.node == "end"] == [1]


def test_a_filter_with_nothing_wired_tells_the_port() -> None:
    walk = run_one(make_plan(LINE, "in:out>f", "f:out>end"), "side")
    assert walk.steps[1].why == {"unwired": ["side"]}
    assert walk.steps[1].ports == ("side",)


def test_a_producer_with_nothing_wired_filters() -> None:
    assert outcome(run_one(make_plan({"in": "producer.start"}), 1), "in") == "filtered"


def test_a_step_has_the_event_only_where_it_changed() -> None:
    plan = make_plan(LINE, "in:out>f", "f:out>end")
    assert [step.output for step in run_one(plan, "pass").steps] == [None, None, None]
    output = run_one(plan, "change").steps[1].output
    assert output is not None
    assert output["data"] == "changed"


def test_a_wired_error_port_takes_the_event_as_it_came() -> None:
    walk = run_one(make_plan(LINE, "in:out>f", "f:error>end"), "refuse")
    step = walk.steps[1]
    assert (step.outcome, step.ports) == ("passed", ("error",))
    assert step.error == {"kind": "refused", "message": "Not this one.", "detail": {"n": 1}}
    assert outcome(walk, "end") == "delivered"
    assert step.output is None
    assert walk.dead == []


def test_the_error_is_described_in_the_event() -> None:
    plan = make_plan({**LINE, "end": "consumer.call"}, "in:out>f", "f:error>end")
    (ask,) = run_one(plan, "refuse").asks
    assert ask.arrival.event.data == "refuse"
    assert ask.arrival.event.extensions == {
        "errornode": "f",
        "errorkind": "refused",
        "errormessage": "Not this one.",
    }


# --- effects
CALL = {"in": "producer.start", "c": "consumer.call", "end": "consumer.end"}


def test_an_effect_waits_for_the_world_under_a_stable_key() -> None:
    walk = run_one(make_plan(CALL, "in:out>c"), 1)
    (ask,) = walk.asks
    assert outcome(walk, "c") == "waiting"
    assert not ask.arrival.fresh
    assert len(ask.key) == 32
    later = make_plan({**CALL, "extra": "consumer.end"}, "in:out>c", "in:out>extra")
    assert [other.key for other in run_one(later, 1).asks] == [ask.key]


def test_a_reply_goes_on_by_the_response_port_and_is_not_counted_again() -> None:
    plan = make_plan(CALL, "in:out>c", "c:response>end")
    walk = call_once(plan, Reply(ok=True, status=200, body="hi", took_ms=12.5))
    assert walk.arrived == [(0, "end")]
    assert [(step.node, step.outcome) for step in walk.steps] == [
        ("c", "delivered"),
        ("end", "delivered"),
    ]
    assert (walk.steps[0].effect_ms, walk.steps[0].attempt) == (12.5, 1)


def test_a_failed_effect_is_made_again_until_the_policy_ends() -> None:
    plan = make_plan(CALL, "in:out>c")
    failed = Reply(ok=True, status=500)
    walk = call_once(plan, failed, attempt=1)
    (retry,) = walk.retries
    assert isinstance(retry, Retry)
    assert NOW < retry.due < NOW + 2
    assert retry.failure == {"kind": "status-500", "message": "Broken."}
    assert outcome(walk, "c") == "retrying"
    walk = call_once(plan, failed, attempt=5)
    assert walk.retries == []
    assert walk.dead[0].attempts == 5


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        (400, {}, "dead"),  # not worth another attempt
        (500, {"settings": {"on_error": "dead"}}, "dead"),  # the flow wants none
        (300, {}, "dead"),  # a reply can't ask again
    ],
)
def test_some_failures_end_at_once(status: int, more: dict[str, Any], expected: str) -> None:
    walk = call_once(make_plan(CALL, "in:out>c", **more), Reply(ok=True, status=status))
    assert outcome(walk, "c") == expected


def test_publishing_is_part_of_the_commit_and_delivered_at_once() -> None:
    walk = run_one(make_plan({"in": "producer.start", "p": "consumer.post"}, "in:out>p"), 1)
    assert outcome(walk, "p") == "delivered"
    assert len({ask.key for ask in walk.inside}) == 2
    assert walk.asks == []


# --- holding
def test_a_held_event_goes_on_when_due_as_if_accepted_then() -> None:
    plan = make_plan(LINE, "in:out>f", "f:out>f", "f:out>end")
    (held,) = run_one(plan, "hold").held
    assert (held.due, held.reason, held.arrival.fresh) == (NOW + 60, "A minute.", False)
    walk = run(plan, FakeSurroundings(), released=[(held.arrival, held.due)])
    assert walk.arrived == [(0, "end"), (0, "f")]
    assert outcome(walk, "end") == "delivered"
    (again,) = walk.held
    assert again.due == NOW + 120
    assert again.arrival.path != held.arrival.path


def test_held_events_are_let_go_in_the_order_of_their_moments() -> None:
    plan = make_plan(LINE, "in:out>f", "f:out>end")
    held = run(plan, FakeSurroundings(), arrivals=make_arrivals(["hold"] * 3)).held
    late = [(held[n].arrival, NOW + due) for n, due in ((0, 70), (1, 60), (2, 65))]
    walk = run(plan, FakeSurroundings(), released=late)
    assert [step.root for step in walk.steps if step.node == "f"] == [1, 2, 0]


# --- state
COUNT = {"in": "producer.start", "n": "filter.count", "end": "consumer.end"}


def test_state_is_seen_by_the_next_event_of_the_batch_and_the_next_batch() -> None:
    plan = make_plan(COUNT, "in:out>n", "n:out>end")
    surroundings = FakeSurroundings(now=NOW + 100)
    seen = []
    for _ in range(2):
        walk = run(plan, surroundings, arrivals=make_arrivals(["a", "b"]))
        surroundings.commit(walk)
        seen += [step.output["data"] for step in walk.steps if step.output is not None]
    assert seen == [1, 2, 3, 4]
    # It is kept from the run on, however old the event: a flow that catches up needs it, too.
    assert walk.state == {("n", "n"): (4, NOW + 110)}


def test_a_failed_event_leaves_no_state_behind() -> None:
    plan = make_plan(COUNT, "in:out>n", "n:out>end")
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals(["undo", "a", "undo"]))
    assert walk.state["n", "n"][0] == 1


def test_deleted_state_is_gone_for_the_next_event() -> None:
    plan = make_plan(COUNT, "in:out>n", "n:out>end")
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals(["a", "clear", "a"]))
    assert [step.output["data"] for step in walk.steps if step.output is not None] == [1, 2, 1]


# --- bounds
def test_an_event_that_multiplies_is_stopped_and_harms_no_other() -> None:
    plan = make_plan(
        {"in": "producer.start", "a": "filter.odd", "b": "filter.odd", "end": "consumer.end"},
        "in:out>a", "a:out>b", "b:out>end",
    )  # fmt: skip
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals(["many", "pass"]))
    assert {dead.failure["kind"] for dead in walk.dead} == {"limit"}
    assert Counter(root for root, _ in walk.arrived)[0] <= 10_000
    assert [step.outcome for step in walk.steps if step.root == 1] == [
        "passed", "passed", "passed", "delivered",
    ]  # fmt: skip


def test_a_cycle_that_does_not_hold_after_all_ends() -> None:
    walk = run_one(make_plan(LINE, "in:out>f", "f:out>f"), "pass")
    assert len(walk.steps) == 10_000
    assert walk.dead[0].failure["kind"] == "limit"


def test_an_arrival_at_a_node_that_is_gone_is_a_dead_letter() -> None:
    plan = make_plan(LINE)
    lost = Arrival(0, "gone", make_event())
    (ask,) = run_one(make_plan(CALL, "in:out>c"), 1).asks
    settlement = Settlement(ask.arrival, ask.effect, Reply(ok=True, status=200), 3)
    walk = run(
        plan,
        FakeSurroundings(),
        arrivals=[lost],
        settlements=[settlement],
        released=[(lost, NOW)],
    )
    assert [dead.failure["kind"] for dead in walk.dead] == ["unknown-node"] * 3
    assert [dead.attempts for dead in walk.dead] == [3, 1, 1]


# --- always
def test_different_ways_to_a_node_are_told_apart() -> None:
    plan = make_plan(CALL | {"f": "filter.odd"}, "in:out>c", "in:out>f", "f:out>c")
    walk = run_one(plan, "pass")
    assert len({ask.arrival.path for ask in walk.asks}) == 2
    assert len({ask.key for ask in walk.asks}) == 2


KINDS = ["filter.odd", "filter.count", "consumer.call", "consumer.post", "consumer.end"]
DATA = st.lists(
    st.sampled_from(["pass", "change", "nothing", "side", "hold", "bug", "refuse", "undo"]),
    max_size=4,
)
SHAPES = st.tuples(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["out", "error"]))),
)
FINAL = {"passed", "filtered", "deduplicated", "batched", "expired", "delivered", "dead"}


@given(SHAPES, DATA)
def test_every_arrival_is_accounted_for_and_a_second_run_is_the_same(
    shape: tuple[list[str], set[tuple[int, int, str]]], data: list[str]
) -> None:
    kinds, links = shape
    nodes = {"in": "producer.start", **{f"n{i}": kind for i, kind in enumerate(kinds)}}
    wires = ["in:out>n0"]
    for start, end, port in sorted(links):
        onward = start < end < len(kinds)
        if onward and (port == "error" or kinds[start].startswith("filter")):
            wires.append(f"n{start}:{port}>n{end}")
    plan = make_plan(nodes, *wires)
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals(data))

    arrived = Counter(walk.arrived)
    ended = Counter((step.root, step.node) for step in walk.steps)
    resting = Counter((one.arrival.root, one.arrival.node) for one in (*walk.held, *walk.asks))
    final = Counter((step.root, step.node) for step in walk.steps if step.outcome in FINAL)
    assert arrived == ended == final + resting
    emitted = sum(
        len(plan.nodes[step.node].targets.get(port, ()))
        for step in walk.steps
        for port in step.ports
    )
    assert len(walk.arrived) == len(data) + emitted
    assert len(walk.dead) == sum(step.outcome == "dead" for step in walk.steps)

    again = run(plan, FakeSurroundings(), arrivals=make_arrivals(data))
    assert comparable(walk) == comparable(again)


def test_chance_is_the_same_for_an_event_and_node_whenever_it_runs_again() -> None:
    views = Views()
    one, other = (NodeContext({"workspace": "w", "flow": "f"}, node, views) for node in "ab")
    event = make_event()
    assert one.random(event) == one.random(event.replace(data="changed"))
    assert one.random(event) != other.random(event)
    assert 0 <= one.random(event) < 1
