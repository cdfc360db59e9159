"""How does the editor show each node of a draft, finished or not?"""

from collections.abc import Mapping
from typing import Any

from workflows.engine.build import build_draft_node
from workflows.engine.compile import port_names
from workflows.engine.event import JSON
from workflows.engine.graph import NodeSpec, read_graph
from workflows.engine.node import Node


def describe(document: JSON, types: Mapping[str, type[Node]]) -> dict[str, dict[str, Any]]:
    """For each node id: summary, ports (names), label, icon, role. Never raises.

    A node of an unknown type has no ports and the label of its type.
    """
    graph, _ = read_graph(document)
    return {node_id: _describe_node(spec, types) for node_id, spec in graph.nodes.items()}


def _describe_node(spec: NodeSpec, types: Mapping[str, type[Node]]) -> dict[str, Any]:
    node_type = types.get(spec.type)
    if node_type is None:
        role = spec.type.partition(".")[0]
        return {"summary": "", "ports": [], "label": spec.type, "icon": "circle-help", "role": role}
    node = build_draft_node(spec, types)
    if node is None:
        ports = [port.name for port in node_type.outputs]
        ports += ["error"] if node_type.can_fail else []
        summary = ""
    else:
        ports, summary = list(port_names(node)), node.summary()
    return {
        "summary": summary,
        "ports": ports,
        "label": node_type.label,
        "icon": node_type.icon,
        "role": node_type.role,
    }
