"""Plain builders for flows, events and runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from workflows.engine.compile import compile_flow
from workflows.engine.effects import Effect, HttpRequest, Publish, Reply
from workflows.engine.event import JSON, Event
from workflows.engine.node import (
    Consumer,
    Context,
    Delivered,
    Failed,
    Filter,
    Hold,
    Node,
    NodeConfig,
    NodeError,
    Port,
    Producer,
    Result,
)
from workflows.engine.plain import rfc3339
from workflows.engine.plan import Plan
from workflows.engine.testing import NOW
from workflows.engine.walk import Arrival


class Start(Producer):
    label, icon = "Start", "play"


class Odd(Filter):
    """Does what the event's data tells it to do."""

    label, icon = "Odd", "bug"
    outputs = (Port("out", "Out."), Port("side", "Side."))
    holds = True

    class Config(NodeConfig):
        field: str = ""

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        what = event.data if isinstance(event.data, str) else "pass"
        if what == "bug":
            raise ZeroDivisionError("no")
        if what == "refuse":
            yield "out", event
            raise NodeError("refused", "Not this one.", {"n": 1})
        if what == "flood":
            for _ in range(1_001):
                yield "out", event
        elif what == "many":
            for n in range(200):
                yield "out", event.replace(id=f"{event.id}/{n}", data="many")
        elif what == "ask twice":
            yield HttpRequest(method="GET", url="https://a.example")
            yield HttpRequest(method="GET", url="https://b.example")
        elif what == "hold":
            yield Hold(ctx.now + 60, "A minute.")
        elif what == "nonsense":
            yield 5  # type: ignore[misc]
        elif what == "side":
            yield "side", event
        elif what != "nothing":
            yield "out", event.replace(data="changed") if what == "change" else event

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield "out", event


class Count(Filter):
    """Numbers the events of a key; the event "undo" counts and then fails."""

    label, icon = "Count", "hash"
    outputs = (Port("out", "Out."),)

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return ("n",)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        n = (ctx.state.get("n") or 0) + 1
        ctx.state.set("n", n, ttl_seconds=10)
        if event.data == "undo":
            raise NodeError("undone", "No.")
        if event.data == "clear":
            ctx.state.delete("n")
        yield "out", event.replace(data=n)


class Call(Consumer):
    """Asks; a 200 is delivered, a 500 is worth another attempt."""

    label, icon = "Call", "globe"
    outputs = (Port("response", "Response."),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield HttpRequest(method="POST", url="https://a.example")

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        if reply.status == 500:
            yield Failed("status-500", "Broken.", retry=True)
        elif reply.status == 400:
            yield Failed("status-400", "Refused.")
        elif reply.status == 300:
            yield HttpRequest(method="POST", url="https://b.example")
        else:
            yield Delivered({"status": reply.status})
            yield "response", event.replace(data=reply.body)


class Post(Consumer):
    label, icon = "Post", "send"

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield Publish(channel="a", event=event.as_dict())
        yield Publish(channel="b", event=event.as_dict())


class End(Consumer):
    label, icon = "End", "square"

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        return iter(())


TYPES: dict[str, type[Node]] = {
    "producer.start": Start,
    "filter.odd": Odd,
    "filter.count": Count,
    "consumer.call": Call,
    "consumer.post": Post,
    "consumer.end": End,
}


def make_flow(nodes: dict[str, str], *wires: str, **more: Any) -> dict[str, Any]:
    """`nodes`: id -> type; wires like `a:out>b`."""
    return {
        "nodes": [{"id": i, "type": kind, "config": {}} for i, kind in nodes.items()],
        "wires": [dict(zip(("from", "to"), wire.split(">"), strict=True)) for wire in wires],
        **more,
    }


def make_plan(nodes: dict[str, str], *wires: str, **more: Any) -> Plan:
    flow = make_flow(nodes, *wires, **more)
    plan, problems = compile_flow(flow, TYPES, workspace="main", flow="f", version=1)
    assert plan is not None, problems
    return plan


def make_event(data: JSON = None, event_id: str = "e1") -> Event:
    return Event(id=event_id, source="/s", type="t", time=rfc3339(NOW), accepted_at=NOW, data=data)


def make_arrivals(data: Sequence[JSON], node: str = "in") -> list[Arrival]:
    return [Arrival(n, node, make_event(one, f"e{n}")) for n, one in enumerate(data)]
