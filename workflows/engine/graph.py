"""What does a flow document draw? Nodes and wires, read without trusting anything.

Nothing here knows node types; it never raises, whatever the document is.
"""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from workflows.engine.event import JSON
from workflows.engine.problems import Problem

MOST_NODES = 200
MOST_WIRES = 1_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class NodeSpec(NamedTuple):
    """A node as drawn; its type and configuration aren't checked yet."""

    id: str
    type: str
    name: str
    config: dict[str, Any]
    version: int


class Wire(NamedTuple):
    """From an output port of one node to the input of another."""

    source: str
    port: str
    target: str


class Graph(NamedTuple):
    """All of a document that could be read."""

    nodes: dict[str, NodeSpec]
    wires: tuple[Wire, ...]
    settings: dict[str, Any]


def read_graph(document: JSON) -> tuple[Graph, list[Problem]]:
    """The graph, and what in the document can't be read."""
    problems: list[Problem] = []
    if not isinstance(document, dict):
        return Graph({}, (), {}), [Problem("", "", "A flow must be a JSON object.")]
    nodes = _read_nodes(_list(document, "nodes", problems), problems)
    wires = _read_wires(_list(document, "wires", problems), problems)
    settings = document.get("settings", {})
    if not isinstance(settings, dict):
        problems.append(Problem("", "settings", "Settings must be a JSON object."))
        settings = {}
    return Graph(nodes, tuple(wires), settings), problems


def _list(document: dict[str, Any], name: str, problems: list[Problem]) -> list[Any]:
    value = document.get(name, [])
    most = MOST_NODES if name == "nodes" else MOST_WIRES
    if not isinstance(value, list):
        problems.append(Problem("", name, f"The {name} of a flow must be a list."))
        return []
    if len(value) > most:
        says = f"A flow may have {most:,} {name}; this one has {len(value):,}. Split it in two."
        problems.append(Problem("", name, says))
        return value[:most]
    return value


def _read_nodes(items: list[Any], problems: list[Problem]) -> dict[str, NodeSpec]:
    nodes: dict[str, NodeSpec] = {}
    for index, item in enumerate(items):
        node_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(node_id, str) or not _ID.fullmatch(node_id):
            says = f"Node number {index + 1} needs an id of letters, digits, - and _ (at most 64)."
            problems.append(Problem("", "nodes", says))
        elif node_id in nodes:
            says = f"Two nodes have the id {node_id}: give one of them another."
            problems.append(Problem(node_id, "id", says))
        else:
            nodes[node_id] = _read_node(node_id, item, problems)
    return nodes


def _read_node(node_id: str, item: dict[str, Any], problems: list[Problem]) -> NodeSpec:
    kind, name = item.get("type"), item.get("name", "")
    config, version = item.get("config", {}), item.get("version", 1)
    if not isinstance(kind, str):
        problems.append(Problem(node_id, "type", "The type must be a text."))
        kind = ""
    if not isinstance(name, str) or len(name) > 200:
        problems.append(Problem(node_id, "name", "The name must be a text of at most 200 letters."))
        name = ""
    if not isinstance(config, dict):
        problems.append(Problem(node_id, "config", "The configuration must be a JSON object."))
        config = {}
    if not isinstance(version, int) or version < 1:
        problems.append(Problem(node_id, "version", "The version must be a whole number from 1."))
        version = 1
    return NodeSpec(node_id, kind, name, config, version)


def _read_wires(items: list[Any], problems: list[Problem]) -> list[Wire]:
    wires: dict[Wire, None] = {}
    for index, item in enumerate(items):
        wire = _read_wire(item)
        if wire is None:
            says = f'Wire number {index + 1} must be like {{"from": "node:port", "to": "node"}}.'
            problems.append(Problem("", "wires", says))
        elif wire in wires:
            says = f"The wire {wire.source}:{wire.port} → {wire.target} is there twice: remove one."
            problems.append(Problem(wire.source, "wires", says))
        else:
            wires[wire] = None
    return list(wires)


def _read_wire(item: Any) -> Wire | None:
    if not isinstance(item, dict):
        return None
    start, target = item.get("from"), item.get("to")
    if not isinstance(start, str) or not isinstance(target, str) or not target:
        return None
    source, colon, port = start.partition(":")
    return Wire(source, port, target) if source and colon and port else None


def sort_nodes(
    ids: Collection[str], wires: Collection[Wire], holding: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(an order in which wires lead onwards, the nodes that are in a cycle or behind one).

    A cycle through a `holding` node is cut behind it: the event rests there, so the walk ends.
    """
    back = [Wire(wire.target, "", wire.source) for wire in wires]
    before = {node: find_reachable([node], back) for node in holding}
    after: dict[str, list[str]] = {node: [] for node in ids}
    waits_for = dict.fromkeys(ids, 0)
    for wire in wires:
        if wire.target not in before.get(wire.source, ()):
            after[wire.source].append(wire.target)
            waits_for[wire.target] += 1
    ready = sorted((node for node, count in waits_for.items() if not count), reverse=True)
    order: list[str] = []
    while ready:
        node = ready.pop()
        order.append(node)
        for target in after[node]:
            waits_for[target] -= 1
            if not waits_for[target]:
                ready.append(target)
    return tuple(order), tuple(sorted(node for node, count in waits_for.items() if count))


def find_reachable(starts: Collection[str], wires: Collection[Wire]) -> frozenset[str]:
    """Every node that an event from one of `starts` may come to, these included."""
    steps: dict[str, list[str]] = {}
    for wire in wires:
        steps.setdefault(wire.source, []).append(wire.target)
    seen = set(starts)
    todo = list(starts)
    while todo:
        for target in steps.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return frozenset(seen)
