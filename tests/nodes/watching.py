"""Lets events arrive at one node over simulated time, and notes what leaves it, when and where."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from workflows.engine.build import Known, build_node
from workflows.engine.compile import port_names
from workflows.engine.effects import Reply
from workflows.engine.event import JSON, Event
from workflows.engine.graph import NodeSpec, Wire
from workflows.engine.node import Consumer, Context, Result
from workflows.engine.plain import rfc3339
from workflows.engine.plan import build_plan
from workflows.engine.rehearsal import NOW, Timeline
from workflows.engine.walk import Arrival, Step
from workflows.nodes.registry import node_types


class Sink(Consumer):
    label, icon = "Sink", "circle"

    def __init__(self) -> None:
        super().__init__(None)
        self.seen: list[tuple[float, Event]] = []

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        self.seen.append((ctx.wall - NOW, event))
        return iter(())


class Watched:
    """The node "x" with a sink at each of its wired ports; moments count from NOW."""

    def __init__(
        self,
        kind: str,
        config: dict[str, Any],
        unwired: Sequence[str] = (),
        replies: Sequence[Reply] = (),
    ) -> None:
        node, problems = build_node(NodeSpec("x", kind, "", config, 1), node_types(), Known())
        assert node is not None, problems
        self.sinks = {port: Sink() for port in port_names(node) if port not in unwired}
        nodes: Any = {"x": ("X", node), **{port: (port, sink) for port, sink in self.sinks.items()}}
        wires = tuple(Wire("x", port, port) for port in self.sinks)
        plan = build_plan(
            nodes, wires, tuple(nodes), workspace="main", flow="f", version=1, settings={}
        )
        self.timeline = Timeline(plan, {"x": replies}, now=NOW)
        self._count = 0

    def feed(self, at: float, *data: JSON, behind: float = 0.0) -> None:
        """Events accepted at that moment, all in one batch, handled so many seconds later."""
        self.timeline.advance(NOW + at + behind)
        self.timeline.feed(*[self.arrival(at, one) for one in data])

    def feed_all(self, events: Sequence[tuple[float, JSON]]) -> None:
        """Events of several moments in one batch, as when the flow catches up."""
        if events:
            self.timeline.feed(*[self.arrival(at, one) for at, one in events])

    def arrival(self, at: float, data: JSON) -> Arrival:
        if isinstance(data, Event):
            event = data.replace(accepted_at=NOW + at, time=rfc3339(NOW + at))
        else:
            event = Event(
                id=f"e{self._count}",
                source="/s",
                type="t",
                time=rfc3339(NOW + at),
                accepted_at=NOW + at,
                data=data,
            )
        self._count += 1
        return Arrival(self._count - 1, "x", event)

    def finish(self) -> "Watched":
        """Let go all that is held, and check that every arrival has ended once."""
        self.timeline.finish()
        final = Counter(step.root for step in self.steps() if step.outcome not in _RESTING)
        assert final == Counter(range(self._count))
        return self

    def steps(self) -> list[Step]:
        return [s for walk in self.timeline.walks for s in walk.steps if s.node == "x"]

    def outcomes(self) -> list[str]:
        """The last outcome of each event, in the order in which they came."""
        last = {step.root: step.outcome for step in self.steps()}
        return [last[root] for root in sorted(last)]

    def out(self, port: str = "out") -> list[JSON]:
        return [event.data for _, event in self.sinks[port].seen]

    def events(self, port: str = "out") -> list[Event]:
        return [event for _, event in self.sinks[port].seen]

    def when(self, port: str = "out") -> list[tuple[float, JSON]]:
        return [(at, event.data) for at, event in self.sinks[port].seen]


_RESTING = ("held", "waiting", "retrying")
