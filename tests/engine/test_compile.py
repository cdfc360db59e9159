"""Does compile say everything that is wrong with a flow, and never break?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.make import TYPES, make_flow
from workflows.engine.compile import compile_flow
from workflows.engine.describe import describe
from workflows.engine.event import JSON
from workflows.engine.plan import Plan
from workflows.engine.problems import Problem
from workflows.nodes.registry import node_types

LINE = {"in": "producer.start", "f": "filter.odd", "end": "consumer.end"}


def compiled(document: JSON, **known: Any) -> tuple[Plan | None, list[Problem]]:
    types = {**node_types(), **TYPES}
    return compile_flow(document, types, workspace="main", flow="f", version=3, **known)


def config_flow(kind: str, config: JSON) -> JSON:
    nodes = [{"id": "in", "type": "producer.start"}, {"id": "x", "type": kind, "config": config}]
    return {"nodes": nodes, "wires": [{"from": "in:out", "to": "x"}]}


def test_a_good_flow_becomes_a_plan() -> None:
    plan, problems = compiled(make_flow(LINE, "in:out>f", "f:out>end", "f:side>end"))
    assert problems == []
    assert plan is not None
    assert plan.order == ("in", "f", "end")
    assert plan.producers == ("in",)
    assert dict(plan.nodes["f"].targets) == {"out": ("end",), "side": ("end",)}
    assert not plan.nodes["f"].takes_errors
    assert plan.version == 3


@pytest.mark.parametrize(
    ("document", "node", "field", "says"),
    [
        (5, "", "", "must be a JSON object"),
        ({"nodes": {}}, "", "nodes", "must be a list"),
        ({"nodes": [{}]}, "", "nodes", "Node number 1 needs an id"),
        ({"nodes": [{"id": "a:b"}]}, "", "nodes", "needs an id"),
        ({"nodes": [{"id": "a"}]}, "a", "type", "must be a text"),
        ({"nodes": [{"id": "a", "type": "b", "config": 1}]}, "a", "config", "JSON object"),
        ({"nodes": [{"id": "a", "type": "b", "name": 1}]}, "a", "name", "must be a text"),
        ({"nodes": [{"id": "a", "type": "b", "version": 0}]}, "a", "version", "from 1"),
        ({"wires": [{"from": "a", "to": "b"}]}, "", "wires", "Wire number 1 must be like"),
        ({"settings": []}, "", "settings", "must be a JSON object"),
        ({"settings": {"ordering": "id"}}, "", "settings.ordering", "one of: none, key"),
        ({"settings": {"on_error": 1}}, "", "settings.on_error", "one of: retry, dead"),
        ({"nodes": [{"id": str(n)} for n in range(201)]}, "", "nodes", "may have 200 nodes"),
        ({"wires": [{}] * 1001}, "", "wires", "may have 1,000 wires"),
        (make_flow({}), "", "nodes", "needs a producer"),
        (make_flow({"a": "filter.gone"}), "a", "type", 'no node type "filter.gone"'),
        (make_flow(LINE, "in:out>f", "in:out>f"), "in", "wires", "there twice"),
        (make_flow(LINE, "in:out>gone"), "in", "wires", 'ends at "gone"'),
        (make_flow(LINE, "in:nope>f"), "in", "wires", 'no port "nope"; there is out'),
        (make_flow(LINE, "in:error>f"), "in", "wires", 'no port "error"'),
        (make_flow(LINE, "f:out>in"), "in", "wires", "A producer has no input"),
        (
            {"nodes": [{"id": "a", "type": "consumer.end"}] * 2},
            "a",
            "id",
            "Two nodes have the id a",
        ),
        (config_flow("filter.condition", {}), "x", "condition", "required"),
        (config_flow("filter.condition", {"condition": "1 +"}), "x", "condition", "(column 4)"),
        (config_flow("filter.condition", {"condition": "1"}), "x", "condition", "true or false"),
        (config_flow("filter.delay", {"seconds": 0}), "x", "seconds", "greater than 0"),
        (config_flow("filter.delay", {"seconds": 1, "z": 2}), "x", "z", "no such field"),
        (
            config_flow("filter.switch", {"cases": [{"name": "a", "when": "gone"}]}),
            "x",
            "cases.0.when",
            '"gone" is not known',
        ),
        (
            config_flow("filter.transform", {"set": {"data.x": "1 +"}}),
            "x",
            "set.data.x",
            "too early",
        ),
        (config_flow("consumer.http", {"url": "ftp://x"}), "x", "url", "begin with https"),
        (config_flow("consumer.log", {"message": "${"}), "x", "message", "never closed"),
        (
            config_flow("consumer.http", {"url": "https://x", "retry": {"attempts": -1}}),
            "x",
            "retry.attempts",
            "greater than or equal to 0",
        ),
    ],
)
def test_an_error_is_found(document: JSON, node: str, field: str, says: str) -> None:
    plan, problems = compiled(document)
    assert plan is None
    found = [p for p in problems if (p.node, p.field, p.level) == (node, field, "error")]
    assert any(says in problem.says for problem in found), problems


@pytest.mark.parametrize(
    ("document", "node", "says"),
    [
        # `odd` holds, so a cycle may go through it
        (make_flow(LINE, "in:out>f", "f:out>f", "f:side>end"), None, ""),
        (make_flow({"in": "producer.start", "e": "consumer.end"}), "e", "No event can come here"),
        (
            make_flow({"in": "producer.start", "f": "filter.count"}, "in:out>f"),
            "f",
            "Events end here",
        ),
        ({**make_flow({"in": "producer.start"}), "settings": {"x": 1}}, "", "no effect"),
    ],
)
def test_a_warning_prevents_nothing(document: JSON, node: str | None, says: str) -> None:
    plan, problems = compiled(document)
    assert plan is not None
    found = [(problem.node, problem.level) for problem in problems if says in problem.says]
    assert found == ([] if node is None else [(node, "warning")])


def test_a_cycle_that_nothing_holds_up_is_refused_at_its_nodes_only() -> None:
    nodes = {"in": "producer.start", "a": "filter.count", "b": "filter.count", "c": "filter.count"}
    plan, problems = compiled(make_flow(nodes, "in:out>a", "a:out>b", "b:out>a", "b:out>c"))
    assert plan is None
    assert {problem.node for problem in problems if "cycle" in problem.says} == {"a", "b"}


def test_all_problems_are_told_at_once() -> None:
    cases = [{"name": "a", "when": "1 +"}, {"name": "B", "when": "x"}]
    _, problems = compiled(config_flow("filter.switch", {"cases": cases, "matches": "some"}))
    fields = {problem.field for problem in problems if problem.level == "error"}
    assert fields == {"cases.0.when", "cases.1.name", "cases.1.when", "matches"}


def test_names_of_connections_and_channels_are_checked_when_they_are_known() -> None:
    webhook = {"signature": "token", "secret": "shop"}
    nodes = [
        {"id": "in", "type": "producer.http", "config": webhook},
        {"id": "out", "type": "consumer.channel", "config": {"channel": "orders"}},
    ]
    document = {"nodes": nodes, "wires": [{"from": "in:out", "to": "out"}]}
    assert compiled(document)[1] == []
    assert compiled(document, connections=["shop"], channels=["orders"])[1] == []
    plan, problems = compiled(document, connections=[], channels=[])
    assert plan is None
    assert [(p.node, p.field, p.level) for p in problems] == [
        ("in", "secret", "error"),
        ("out", "channel", "warning"),
    ]


@pytest.mark.parametrize(
    ("kind", "config", "keyed", "field"),
    [
        ("producer.http", {}, (), "key"),
        ("producer.http", {"key": "event.data.order"}, (), None),
        ("producer.http", {"key": "event.data."}, (), "key"),
        ("producer.schedule", {"every_seconds": 5}, None, "key"),
        ("producer.channel", {"channel": "orders"}, (), "channel"),
        ("producer.channel", {"channel": "orders"}, ("orders",), None),
        ("producer.channel", {"channel": "orders"}, None, None),
    ],
)
def test_order_by_key_needs_events_that_have_a_key(
    kind: str, config: JSON, keyed: Any, field: str | None
) -> None:
    nodes = [{"id": "in", "type": kind, "config": config}, {"id": "end", "type": "consumer.end"}]
    wires = [{"from": "in:out", "to": "end"}]
    document = {"nodes": nodes, "wires": wires, "settings": {"ordering": "key"}}
    plan, problems = compiled(document, keyed=keyed)
    assert [problem.field for problem in problems] == ([field] if field else [])
    assert field or (plan is not None and plan.ordered)


def test_a_configuration_of_an_older_version_is_brought_up_to_date() -> None:
    class Newer(TYPES["filter.odd"]):  # type: ignore[misc,name-defined]
        version = 2

        @classmethod
        def upgrade(cls, config: dict[str, Any], version: int) -> dict[str, Any]:
            return {"field": config["old"]}

    nodes = [
        {"id": "in", "type": "producer.start"},
        {"id": "x", "type": "filter.newer", "config": {"old": "a"}},
        {"id": "y", "type": "filter.newer", "config": {"field": "b"}, "version": 2},
    ]
    types = {**TYPES, "filter.newer": Newer}
    plan, _ = compile_flow({"nodes": nodes}, types, workspace="main", flow="f", version=1)
    assert plan is not None
    assert [plan.nodes[i].node.config.field for i in ("x", "y")] == ["a", "b"]


def test_an_unfinished_draft_still_shows_its_cards() -> None:
    cases = [{"name": "a", "when": "1 +"}]
    document = {
        "nodes": [
            {"id": "s", "type": "filter.switch", "config": {"cases": cases}},
            {"id": "c", "type": "filter.condition", "config": {}},
            {"id": "u", "type": "filter.unknown"},
        ]
    }
    shown = describe(document, node_types())
    assert shown["s"]["ports"] == ["a", "otherwise", "error"]
    assert shown["c"]["ports"] == ["match", "other", "error"]
    assert shown["c"]["summary"] == ""
    assert shown["u"]["label"] == "filter.unknown"


KEYS = st.sampled_from(
    ["nodes", "wires", "settings", "id", "type", "config", "from", "to", "name", "cases", "set"]
)
SCALARS = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "a", "a:out", "filter.switch", "producer.http", "filter.delay"]
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
KINDS = st.sampled_from(sorted(node_types()))
NODES = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "type": KINDS}, optional={"config": ANY_JSON, "name": SCALARS}
)
ENDS = st.sampled_from(["a:out", "b:out", "b:match", "c:error", "d:x", "a"])
WIRES = st.fixed_dictionaries({"from": ENDS, "to": st.sampled_from("abcd")})
DOCUMENTS = ANY_JSON | st.fixed_dictionaries(
    {"nodes": st.lists(NODES | ANY_JSON, max_size=3), "wires": st.lists(WIRES, max_size=4)}
)


@given(DOCUMENTS)
def test_whatever_the_document_is_there_is_a_plan_or_an_error(document: JSON) -> None:
    plan, problems = compiled(document)
    assert (plan is None) == any(problem.level == "error" for problem in problems)
    describe(document, node_types())
