"""Can this flow run? Either a plan, or every reason why not."""

from collections.abc import Collection, Mapping

from workflows.engine.build import Known, build_draft_node, build_node
from workflows.engine.event import JSON
from workflows.engine.graph import Graph, Wire, find_reachable, read_graph, sort_nodes
from workflows.engine.node import Node, Producer
from workflows.engine.plan import Plan, build_plan
from workflows.engine.problems import Problem

MOST_HOPS_SET = 10_000
_SETTINGS = {"ordering": ("none", "key"), "on_error": ("retry", "dead")}


def compile_flow(
    document: JSON,
    types: Mapping[str, type[Node]],
    *,
    workspace: str,
    flow: str,
    version: int,
    channels: Collection[str] | None = None,
    connections: Collection[str] | None = None,
    keyed: Collection[str] | None = None,
) -> tuple[Plan | None, list[Problem]]:
    """The plan, and the problems; the plan is None when one of them is an error.

    Never raises, whatever `document` is. `channels` and `connections` are the names that the
    workspace has, `keyed` the channels that give events a key; None leaves them unchecked.
    """
    graph, problems = read_graph(document)
    nodes: dict[str, Node] = {}
    for spec in graph.nodes.values():
        node, found = build_node(spec, types, Known(channels, connections))
        problems += found
        if node is not None:
            nodes[spec.id] = node
    shown = _shown(graph, types, nodes)
    wires, found = _check_wires(graph, shown)
    problems += found + _check_settings(graph) + _check_order(graph, nodes, keyed)
    holding = {node_id for node_id, node in shown.items() if node.holds}
    order, cyclic = sort_nodes(graph.nodes, wires, holding)
    problems += _check_cycles(graph, cyclic, wires, holding)
    problems += _check_reach(graph, shown, wires)
    if any(problem.level == "error" for problem in problems):
        return None, problems
    named = {i: (graph.nodes[i].name or nodes[i].label, nodes[i]) for i in nodes}
    plan = build_plan(
        named,
        wires,
        order,
        workspace=workspace,
        flow=flow,
        version=version,
        settings=graph.settings,
    )
    return plan, problems


def _shown(
    graph: Graph, types: Mapping[str, type[Node]], nodes: Mapping[str, Node]
) -> dict[str, Node]:
    """Nodes whose ports are known, also those that can't run yet."""
    shown = dict(nodes)
    for node_id, spec in graph.nodes.items():
        if node_id not in shown:
            draft = build_draft_node(spec, types)
            if draft is not None:
                shown[node_id] = draft
    return shown


def port_names(node: Node) -> tuple[str, ...]:
    """All ports a wire may start from, `error` included where the node can fail."""
    names = tuple(port.name for port in node.ports())
    return (*names, "error") if node.can_fail else names


def _check_wires(graph: Graph, shown: Mapping[str, Node]) -> tuple[tuple[Wire, ...], list[Problem]]:
    good: list[Wire] = []
    problems = []
    for wire in graph.wires:
        missing = next((end for end in (wire.source, wire.target) if end not in graph.nodes), None)
        if missing is not None:
            other = wire.target if missing == wire.source else wire.source
            says = f'A wire ends at "{missing}", which is not there: remove the wire.'
            problems.append(Problem(other if other in graph.nodes else "", "wires", says))
            continue
        source, target = shown.get(wire.source), shown.get(wire.target)
        if source is not None and wire.port not in port_names(source):
            ports = ", ".join(port_names(source)) or "none"
            says = f'There is no port "{wire.port}"; there is {ports}.'
            problems.append(Problem(wire.source, "wires", says))
        if target is not None and not target.has_input:
            says = "A producer has no input: lead the wire to a filter or a consumer."
            problems.append(Problem(wire.target, "wires", says))
        good.append(wire)
    return tuple(good), problems


def _check_settings(graph: Graph) -> list[Problem]:
    problems = []
    for name, value in graph.settings.items():
        if name == "most_hops":
            if type(value) is not int or not 1 <= value <= MOST_HOPS_SET:
                says = f"This must be a whole number from 1 to {MOST_HOPS_SET:,}."
                problems.append(Problem("", "settings.most_hops", says))
        elif name not in _SETTINGS:
            says = f'There is no setting "{name}": it has no effect.'
            problems.append(Problem("", f"settings.{name}", says, "warning"))
        elif value not in _SETTINGS[name]:
            says = f"This must be one of: {', '.join(_SETTINGS[name])}."
            problems.append(Problem("", f"settings.{name}", says))
    return problems


def _check_order(
    graph: Graph, nodes: Mapping[str, Node], keyed: Collection[str] | None
) -> list[Problem]:
    """Order per key means nothing where each event is its own key."""
    problems = []
    for node_id, node in nodes.items():
        if graph.settings.get("ordering") != "key" or not isinstance(node, Producer):
            continue
        if node.inbox and not node.key():
            says = "These events would be ordered by their id alone: set their key."
            problems.append(Problem(node_id, "key", says))
        elif not node.inbox and keyed is not None and node.channel() not in keyed:
            says = f'Events of "{node.channel()}" would be ordered by their id alone:'
            problems.append(Problem(node_id, "channel", f"{says} set the key of the channel."))
    return problems


def _check_cycles(
    graph: Graph, cyclic: Collection[str], wires: Collection[Wire], holding: Collection[str]
) -> list[Problem]:
    says = "This node is part of a cycle: lead it through a delay, or remove a wire."
    inner = [w for w in wires if w.source in cyclic and w.source not in holding]
    problems = []
    for node_id in cyclic:
        starts = [wire.target for wire in inner if wire.source == node_id]
        if node_id in find_reachable(starts, inner):
            problems.append(Problem(node_id, "wires", says))
    return problems


def _check_reach(graph: Graph, shown: Mapping[str, Node], wires: Collection[Wire]) -> list[Problem]:
    producers = [i for i, spec in graph.nodes.items() if _is_producer(spec.type, shown.get(i))]
    if not producers:
        return [Problem("", "nodes", "A flow needs a producer, which brings its events in.")]
    reached = find_reachable(producers, wires)
    wired = {wire.source for wire in wires if wire.port != "error"}
    problems = []
    for node_id in graph.nodes:
        node = shown.get(node_id)
        if node_id not in reached:
            says = "No event can come here: wire it to a producer."
            problems.append(Problem(node_id, "", says, "warning"))
        elif node is not None and node.role == "filter" and node_id not in wired:
            says = "Events end here: wire one of the outputs on."
            problems.append(Problem(node_id, "", says, "warning"))
    return problems


def _is_producer(type_id: str, node: Node | None) -> bool:
    return node.role == "producer" if node is not None else type_id.startswith("producer.")
