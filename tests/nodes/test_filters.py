"""What can't the filters' examples say?"""

from typing import Any

import pytest

from tests.engine.make import make_event
from workflows.engine.compile import compile_flow
from workflows.engine.effects import Reply
from workflows.engine.event import JSON, Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.testing import NOW, FakeSurroundings
from workflows.engine.walk import Arrival, Settlement, Walk
from workflows.nodes.registry import node_types


def plan_with(kind: str, config: dict[str, Any], *ports: str) -> Plan:
    nodes = [
        {"id": "in", "type": "producer.manual", "config": {}},
        {"id": "x", "type": kind, "config": config},
        {"id": "end", "type": "consumer.log", "config": {}},
    ]
    wires = [{"from": "in:out", "to": "x"}]
    wires += [{"from": f"x:{port}", "to": "end"} for port in ports]
    flow = {"nodes": nodes, "wires": wires}
    plan, problems = compile_flow(flow, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    return plan


def outcomes(walk: Walk) -> list[str]:
    return [step.outcome for step in walk.steps if step.node == "x"]


def test_a_repeat_in_a_later_batch_is_known_also_when_the_flow_catches_up() -> None:
    plan = plan_with("filter.dedupe", {"window_seconds": 60}, "fresh")
    surroundings = FakeSurroundings(now=NOW + 7_200)
    seen = []
    for at in (0, 30, 59, 60):
        event = make_event(1).replace(accepted_at=NOW + at)
        walk = run(plan, surroundings, arrivals=[Arrival(0, "in", event)])
        surroundings.commit(walk)
        seen += outcomes(walk)
        assert all(expiry is None or expiry > surroundings.now for _, expiry in walk.state.values())
    assert seen == ["passed", "deduplicated", "deduplicated", "passed"]


def test_a_key_that_can_not_be_worked_out_fails_for_its_event_alone() -> None:
    plan = plan_with("filter.dedupe", {"key": "event.data.k"}, "fresh")
    arrivals = [Arrival(n, "in", make_event(data)) for n, data in enumerate([{}, {"k": 1}])]
    assert outcomes(run(plan, FakeSurroundings(), arrivals=arrivals)) == ["dead", "passed"]


@pytest.mark.parametrize(("key_a", "key_b"), [(1, "1"), (None, False), ("", None)])
def test_keys_of_different_types_differ(key_a: JSON, key_b: JSON) -> None:
    plan = plan_with("filter.dedupe", {"key": "event.data"}, "fresh")
    arrivals = [Arrival(n, "in", make_event(key)) for n, key in enumerate([key_a, key_b])]
    assert outcomes(run(plan, FakeSurroundings(), arrivals=arrivals)) == ["passed"] * 2


def test_the_items_of_a_split_have_ids_and_places_of_their_own() -> None:
    plan = plan_with("filter.split", {}, "out")
    event = make_event([1, 2])
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", event)])
    output = next(step.output for step in walk.steps if step.node == "x")
    assert output is not None
    assert output["total"] == 2
    assert [(e["id"], e["splitindex"], e["splittotal"]) for e in output["events"]] == [
        ("e1/x/0", 0, 2),
        ("e1/x/1", 1, 2),
    ]


def transformed(event: Event, **config: JSON) -> Event:
    plan = plan_with("filter.transform", config, "out")
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", event)])
    output = next(step.output for step in walk.steps if step.node == "x")
    return event if output is None else Event.from_dict(output, NOW)


def test_a_transform_sets_attributes_and_replaces_binary_data() -> None:
    event = make_event().replace(data_base64="AAAA", subject="old")
    changed = transformed(
        event, set={"type": "'new'", "data": "{'was': event.type}"}, remove=["subject"]
    )
    assert (changed.type, changed.subject) == ("new", None)
    assert (changed.data, changed.data_base64) == ({"was": "t"}, None)


def test_every_expression_of_a_transform_sees_the_event_as_it_came() -> None:
    changed = transformed(
        make_event({"a": 1, "b": 2}), set={"data.a": "event.data.b", "data.b": "event.data.a"}
    )
    assert changed.data == {"a": 2, "b": 1}


def test_a_transform_that_changes_nothing_passes_the_same_event() -> None:
    event = make_event({"a": 1})
    assert transformed(event, remove=["data.gone"]) is event


def test_a_condition_that_fails_tells_why_it_did() -> None:
    plan = plan_with("filter.condition", {"condition": "event.data.a > 1"}, "match")
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", make_event({}))])
    (step,) = [step for step in walk.steps if step.node == "x"]
    assert step.why["result"] is None
    assert 'no "a"' in step.why["condition"][0]["error"]
    assert step.error is not None
    assert step.error["kind"] == "expression"


def test_a_delay_behind_a_request_counts_from_the_answer() -> None:
    nodes = [
        {"id": "in", "type": "producer.manual", "config": {}},
        {"id": "ask", "type": "consumer.http", "config": {"url": "https://a.example"}},
        {"id": "wait", "type": "filter.delay", "config": {"seconds": 10}},
    ]
    ends = [("in:out", "ask"), ("ask:response", "wait"), ("wait:out", "ask")]
    flow = {"nodes": nodes, "wires": [{"from": a, "to": b} for a, b in ends]}
    plan, problems = compile_flow(flow, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", make_event())])
    for turn in range(1, 4):  # asks again and again, but never in a rush
        (ask,) = walk.asks
        # A parked event is stored with the moment at which it was first accepted.
        arrival = Arrival(0, "ask", ask.arrival.event.replace(accepted_at=NOW), ask.arrival.path)
        settlement = Settlement(arrival, ask.effect, Reply(ok=True, status=200), 1)
        came = FakeSurroundings(now=NOW + 100 * turn)
        (held,) = run(plan, came, settlements=[settlement]).held
        assert held.due == NOW + 100 * turn + 10
        walk = run(plan, came, released=[(held.arrival, held.due)])


@pytest.mark.parametrize(
    ("until", "held"),
    [
        ('timestamp(event.time) + duration("90s")', 90),
        ("event.data.at", 60),  # Unix seconds
        ("string(now)", None),  # this very moment is past
        ('"2020-01-01"', None),
        ("now + duration('8784h')", 366 * 86_400),
    ],
)
def test_an_event_is_kept_until_its_moment(until: str, held: float | None) -> None:
    plan = plan_with("filter.delay", {"until": until}, "out")
    event = make_event({"at": int(NOW) + 60})
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", event)])
    assert [one.due - NOW for one in walk.held] == ([] if held is None else [held])
    assert outcomes(walk) == ["passed" if held is None else "held"]


@pytest.mark.parametrize("until", ["'soon'", "true", "-1", "1e300", "now + duration('8785h')"])
def test_a_moment_that_is_none_or_too_far_ahead_fails(until: str) -> None:
    plan = plan_with("filter.delay", {"until": until}, "out")
    walk = run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", make_event())])
    assert [dead.failure["kind"] for dead in walk.dead] == ["time"]


@pytest.mark.parametrize("config", [{}, {"seconds": 1, "until": "now"}])
def test_a_delay_needs_a_duration_or_a_moment(config: dict[str, Any]) -> None:
    node = node_types()["filter.delay"]
    assert node(node.Config.model_validate(config)).check()[0][0] == "seconds"
