"""How is a node or a flow tried without the world?

The same run as in production, with a memory for state and prepared answers for effects. Used by the
contract tests of node types and by the editor's "try it".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec

from workflows.engine.compile import compile_flow, port_names
from workflows.engine.effects import OUTSIDE, Effect, Reply
from workflows.engine.event import JSON, Event
from workflows.engine.graph import Wire
from workflows.engine.node import Consumer, Context, Example, Node, Producer, Result
from workflows.engine.plain import rfc3339
from workflows.engine.plan import Plan, build_plan
from workflows.engine.rehearsal import NOW as NOW
from workflows.engine.rehearsal import FakeSurroundings as FakeSurroundings
from workflows.engine.rehearsal import rehearse
from workflows.engine.walk import Arrival

EFFECT_KINDS = frozenset(kind.__struct_config__.tag for kind in get_args(Effect))


# --- one node, by its worked examples
class _Sink(Consumer):
    label, icon = "Sink", "circle"

    def __init__(self) -> None:
        super().__init__(None)
        self.seen: list[Event] = []

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        self.seen.append(event)
        return iter(())


def run_example(node_type: type[Node], example: Example) -> dict[str, list[JSON]]:
    """What comes of an example, by port, outcome and effect kind; see `Example`.

    Only the ports that the example expects something of are wired. A producer's example without
    given events shows what it makes by itself, from a fixed moment on.
    """
    node = node_type(node_type.Config.model_validate(example.config))
    sinks = {port: _Sink() for port in port_names(node) if port in example.expect}
    plan = _plan_around(node, sinks)
    given = _given(node, example)
    arrivals = [Arrival(root, "node", event) for root, event in enumerate(given)]
    replies = [msgspec.convert(reply, Reply) for reply in example.replies]
    done = rehearse(plan, arrivals, {"node": replies})
    came: dict[str, list[JSON]] = {
        port: [event.data for event in sink.seen] for port, sink in sinks.items() if sink.seen
    }
    for walk in done.walks:
        for ask in (*walk.asks, *walk.inside):
            request = msgspec.to_builtins(ask.effect)
            came.setdefault(request.pop("kind"), []).append(request)
        for step in walk.steps:
            if step.node == "node" and step.outcome not in ("passed", "waiting"):
                came.setdefault(step.outcome, []).append(given[step.root].data)
    return came


def mismatches(example: Example, came: Mapping[str, list[JSON]]) -> list[str]:
    """Where what came differs from what the example expects; empty when it is as told."""
    wrong = []
    for name, expected in example.expect.items():
        actual = came.get(name, [])
        if name in EFFECT_KINDS:
            actual = [
                _keys_of(wanted, made) for wanted, made in zip(expected, actual, strict=False)
            ]
        if actual != expected:
            wrong.append(f"{name}: expected {expected}, came {actual}")
    unexpected = came.keys() - example.expect.keys() - EFFECT_KINDS - {"delivered", "held"}
    wrong += [f"{name}: not expected, came {came[name]}" for name in sorted(unexpected)]
    return wrong


def _keys_of(wanted: JSON, made: JSON) -> JSON:
    return {key: made.get(key) for key in wanted}


def _plan_around(node: Node, sinks: Mapping[str, _Sink]) -> Plan:
    nodes: dict[str, tuple[str, Node]] = {"node": (node.label, node)}
    nodes.update({f"{port}-sink": (port, sink) for port, sink in sinks.items()})
    wires = tuple(Wire("node", port, f"{port}-sink") for port in sinks)
    return build_plan(
        nodes, wires, tuple(nodes), workspace="main", flow="example", version=1, settings={}
    )


def _given(node: Node, example: Example) -> list[Event]:
    if isinstance(node, Producer) and not example.given:
        due = node.next_due(NOW)
        return node.make(due, "example") if due is not None else []
    return [
        Event(
            id=f"example-{index}",
            source="/example",
            type="example",
            time=rfc3339(NOW + index),
            accepted_at=NOW + index,
            data=data,
            extensions=dict(*example.extensions[index : index + 1]),
        )
        for index, data in enumerate(example.given)
    ]


# --- a whole flow, for "try it"
def try_flow(
    document: JSON,
    types: Mapping[str, type[Node]],
    event: Mapping[str, Any],
    replies: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    producer: str | None = None,
) -> dict[str, Any]:
    """What a flow would make of one event, as JSON; nothing leaves and nothing is stored.

    `event`: a CloudEvents object, missing attributes filled in. `replies`: node id -> fields of the
    `Reply` to each request in turn. Returns `problems`; `steps` in order; `effects` with their
    node, request and reply. Both are empty when a problem prevents the flow from running.
    """
    plan, problems = compile_flow(document, types, workspace="try", flow="try", version=0)
    tried: dict[str, Any] = {
        "problems": [msgspec.to_builtins(problem) for problem in problems],
        "steps": [],
        "effects": [],
    }
    if plan is None:
        return tried
    start = producer if producer in plan.producers else plan.producers[0]
    arrival = Arrival(0, start, _sample(event))
    given = {
        node_id: [msgspec.convert(one, Reply) for one in some]
        for node_id, some in (replies or {}).items()
    }
    done = rehearse(plan, [arrival], given)
    for walk in done.walks:
        tried["steps"] += [msgspec.to_builtins(step) for step in walk.steps]
        tried["effects"] += [
            {"node": ask.arrival.node, "effect": msgspec.to_builtins(ask.effect), "reply": None}
            for ask in walk.inside
        ]
    tried["effects"] += [
        {
            "node": settlement.arrival.node,
            "effect": msgspec.to_builtins(settlement.effect),
            "reply": msgspec.to_builtins(reply),
        }
        for settlement, reply in done.replies
        if isinstance(settlement.effect, OUTSIDE)
    ]
    return tried


def _sample(event: Mapping[str, Any]) -> Event:
    defaults = {"id": "try", "source": "/try", "type": "try", "time": rfc3339(NOW)}
    return Event.from_dict({**defaults, **event}, NOW)
