"""What is a compiled flow version? Immutable, shared by all events that run through it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from workflows.engine.causes import MOST_HOPS
from workflows.engine.graph import Wire, find_reachable
from workflows.engine.node import Node


class PlannedNode(msgspec.Struct, frozen=True):
    """A node in its place. `node` is shared by all events, so it keeps nothing of them."""

    id: str
    name: str
    node: Node
    targets: Mapping[str, tuple[str, ...]]  # port -> nodes it is wired to
    ways: Mapping[str, tuple[tuple[str, bytes], ...]]  # port -> (node, name of the wire)
    index: int  # place in the plan's order
    is_consumer: bool
    keeps_state: bool
    loops: bool  # holds events that may come back to it

    @property
    def takes_errors(self) -> bool:
        """Whether failures leave by a wire."""
        return "error" in self.targets


class Plan(msgspec.Struct, frozen=True):
    """A flow version that can run. `order`: every wire leads onwards, but out of holding nodes."""

    workspace: str
    flow: str
    version: int
    nodes: Mapping[str, PlannedNode]
    producers: tuple[str, ...]
    order: tuple[str, ...]
    wires: tuple[Wire, ...]
    settings: Mapping[str, Any]
    keeps_state: bool  # what becomes of an event may depend on those before it
    has_limits: bool  # some of its nodes may call only so often, or so many at once
    dropped: frozenset[str] = frozenset()  # nodes it doesn't have and whose arrivals just end

    @property
    def retries(self) -> bool:
        """Whether failed effects are made again at all (the flow's `on_error`)."""
        return bool(self.settings.get("on_error", "retry") == "retry")

    @property
    def ordered(self) -> bool:
        """Whether events with the same key keep their order at each node (`ordering: key`)."""
        return bool(self.settings.get("ordering", "none") == "key")

    @property
    def most_hops(self) -> int:
        """How long a chain of events that lead to one another may be."""
        return int(self.settings.get("most_hops", MOST_HOPS))


def _ends(targets: Mapping[str, list[str]]) -> list[str]:
    return [end for ends in targets.values() for end in ends]


def build_plan(
    nodes: Mapping[str, tuple[str, Node]],
    wires: tuple[Wire, ...],
    order: tuple[str, ...],
    *,
    workspace: str,
    flow: str,
    version: int,
    settings: Mapping[str, Any],
) -> Plan:
    """Put checked parts together. `nodes`: id -> (name, node)."""
    targets: dict[str, dict[str, list[str]]] = {node_id: {} for node_id in nodes}
    for wire in sorted(wires):
        targets[wire.source].setdefault(wire.port, []).append(wire.target)
    planned = {}
    for index, node_id in enumerate(order):
        name, node = nodes[node_id]
        ports = {port: tuple(ends) for port, ends in targets[node_id].items()}
        ways = {
            port: tuple((end, f"{node_id}:{port}>{end}".encode()) for end in ends)
            for port, ends in ports.items()
        }
        planned[node_id] = PlannedNode(
            id=node_id,
            name=name,
            node=node,
            targets=MappingProxyType(ports),
            ways=MappingProxyType(ways),
            index=index,
            is_consumer=node.role == "consumer",
            keeps_state=type(node).state_keys is not Node.state_keys,
            loops=node.holds and node_id in find_reachable(_ends(targets[node_id]), wires),
        )
    return Plan(
        workspace=workspace,
        flow=flow,
        version=version,
        nodes=MappingProxyType(planned),
        producers=tuple(i for i in order if not planned[i].node.has_input),
        order=order,
        wires=wires,
        settings=MappingProxyType(dict(settings)),
        keeps_state=any(one.keeps_state for one in planned.values()),
        has_limits=any(one.node.limits() for one in planned.values()),
    )
