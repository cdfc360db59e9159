"""Do events tell what led to them, and do loops come to an end?"""

import re
from typing import Any

import msgspec
import pytest

from tests.engine.make import make_event
from workflows.engine.causes import note_causes, trace_parent
from workflows.engine.compile import compile_flow
from workflows.engine.context import NodeContext, Views
from workflows.engine.effects import HttpRequest, Publish
from workflows.engine.event import Event
from workflows.engine.outcome import Said
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.testing import NOW, FakeSurroundings
from workflows.engine.walk import Arrival, Walk
from workflows.nodes.registry import node_types

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _plan(nodes: list[tuple[str, str, dict[str, Any]]], wires: list[str], **more: Any) -> Plan:
    document = {
        "nodes": [{"id": i, "type": kind, "config": config} for i, kind, config in nodes],
        "wires": [dict(zip(("from", "to"), wire.split(), strict=True)) for wire in wires],
        "settings": more,
    }
    plan, problems = compile_flow(document, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    return plan


def _run(plan: Plan, event: Event) -> Walk:
    return run(plan, FakeSurroundings(), arrivals=[Arrival(0, "in", event)])


SPLIT = _plan(
    [
        ("in", "producer.manual", {}),
        ("each", "filter.split", {}),
        ("out", "consumer.channel", {"channel": "a"}),
    ],
    ["in:out each", "each:out out"],
)


def test_what_a_flow_derives_and_publishes_names_its_cause_and_the_first_of_the_chain() -> None:
    first = make_event([1, 2]).replace(traceparent=PARENT)
    bodies = [ask.effect.event for ask in _run(SPLIT, first).inside]  # type: ignore[union-attr]
    assert len(bodies) == 2
    for body in bodies:
        assert body["causationid"].startswith("e1")  # the part that was published
        assert body["causationid"] != "e1"
        assert (body["correlationid"], body["hops"], body["traceparent"]) == ("e1", 1, PARENT)
    again = _run(SPLIT, Event.from_dict({**bodies[0], "data": [3]}, NOW)).inside[0].effect
    assert isinstance(again, Publish)
    assert (again.event["correlationid"], again.event["hops"]) == ("e1", 2)


@pytest.mark.parametrize(
    ("node", "config", "port"),
    [
        ("filter.delay", {"seconds": 1}, "out"),
        ("filter.window", {"seconds": 60}, "out"),
        ("filter.absence", {"quiet_seconds": 60}, "absent"),
    ],
)
def test_the_chain_goes_on_through_time(node: str, config: dict[str, Any], port: str) -> None:
    plan = _plan(
        [
            ("in", "producer.manual", {}),
            ("wait", node, config),
            ("out", "consumer.channel", {"channel": "a"}),
        ],
        ["in:out wait", f"wait:{port} out"],
    )
    came = {"correlationid": "e0", "causationid": "e0", "hops": 3}
    event = make_event(1).replace(traceparent=PARENT, extensions=came)
    surroundings = FakeSurroundings()
    first = run(plan, surroundings, arrivals=[Arrival(0, "in", event)])
    surroundings.commit(first)
    (held,) = first.held
    surroundings.now = held.due
    walk = run(plan, surroundings, released=[(held.arrival, held.due)])
    (published,) = [ask.effect for ask in walk.inside if isinstance(ask.effect, Publish)]
    body = published.event
    assert (body["correlationid"], body["hops"], body["traceparent"]) == ("e0", 4, PARENT)
    assert body["causationid"] != "e0", "what was held, or what was made of it, led to it"


def _context(event: Event, node: str = "k") -> NodeContext:
    ctx = NodeContext({"workspace": "main", "flow": "f"}, node, Views())
    ctx.point_at(Arrival(0, node, event))
    return ctx


def test_an_event_that_passes_unchanged_stays_as_it_is() -> None:
    event = make_event(1)
    said = Said(emissions=[("out", event)])
    assert note_causes(said, event, _context(event), is_turn=False, most=32) is None
    assert said.emissions[0][1] is event


def test_calls_are_children_of_the_trace_and_a_repeat_has_the_same_span() -> None:
    def headers(event: Event, node: str, **given: str) -> dict[str, str]:
        said = Said(ask=HttpRequest(method="POST", url="https://a.example", headers=given))
        note_causes(said, event, _context(event, node), is_turn=False, most=32)
        assert isinstance(said.ask, HttpRequest)
        return said.ask.headers

    event = make_event(1).replace(traceparent=PARENT, extensions={"hops": 3})
    sent = headers(event, "k")
    assert sent == headers(event, "k")
    assert sent["eventflow-hops"] == "4"
    assert re.fullmatch(rf"{PARENT[:35]}-[0-9a-f]{{16}}-01", sent["traceparent"])
    assert sent["traceparent"] != PARENT
    assert headers(event, "other")["traceparent"] != sent["traceparent"]
    assert trace_parent(headers(make_event(1), "k")["traceparent"])
    assert headers(event, "k", Traceparent="mine")["Traceparent"] == "mine"


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        (PARENT, True),
        (f" {PARENT.upper()} ", True),
        ("", False),
        (PARENT[:-1], False),
        (f"01{PARENT[2:]}", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        (f"{PARENT}\n{PARENT}", False),
    ],
)
def test_only_whole_trace_contexts_are_taken(text: str, is_good: bool) -> None:
    assert trace_parent(text) == (PARENT if is_good else "")


@pytest.mark.parametrize(("most", "turns"), [(None, 32), (5, 5)])
def test_a_cycle_in_a_flow_ends_after_as_many_turns_as_are_allowed(
    most: int | None, turns: int
) -> None:
    plan = _plan(
        [("in", "producer.manual", {}), ("wait", "filter.delay", {"seconds": 1})],
        ["in:out wait", "wait:out wait"],
        **({} if most is None else {"most_hops": most}),
    )
    walk = _run(plan, make_event(1))
    count = 0
    while walk.held:
        (held,) = walk.held
        arrival = msgspec.structs.replace(held.arrival, fresh=False)
        walk = run(plan, FakeSurroundings(), released=[(arrival, held.due)])
        count += 1
        assert count < 100
    assert count == turns + 1
    (dead,) = walk.dead
    assert dead.failure["kind"] == "loop"
    assert f"come round {turns} times" in dead.failure["message"]


def test_a_delay_outside_a_cycle_leaves_no_mark() -> None:
    plan = _plan(
        [
            ("in", "producer.manual", {}),
            ("wait", "filter.delay", {"seconds": 1}),
            ("out", "consumer.channel", {"channel": "a"}),
        ],
        ["in:out wait", "wait:out out"],
    )
    (held,) = _run(plan, make_event(1)).held
    walk = run(plan, FakeSurroundings(), released=[(held.arrival, held.due)])
    published = walk.inside[0].effect
    assert isinstance(published, Publish)
    assert published.event["hops"] == 1
