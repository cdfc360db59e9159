"""Let an event through the first time its key is seen, and set repeats aside.

The key is remembered for the window, counted from its first event; a repeat after that counts as
new. Times are those at which events were accepted, so a flow that catches up decides the same.
"""

from collections.abc import Iterator
from functools import cached_property

import msgspec
from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import ExpressionText
from workflows.engine.keys import stable_key
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Filtered,
    NodeConfig,
    Port,
    Result,
    Why,
)


class Dedupe(Filter):
    label, icon = "Dedupe", "copy-minus"
    outputs = (
        Port("fresh", "The first event with its key."),
        Port("repeat", "Events whose key was seen before."),
    )

    class Config(NodeConfig):
        key: ExpressionText = Field(
            default="event.id",
            description="A CEL expression; events for which it gives the same are repeats.",
        )
        window_seconds: float = Field(
            default=3_600.0, ge=1, le=2_592_000, description="How long a key is remembered."
        )

    config: Config
    examples = (
        Example(
            title="A double click",
            config={"key": "event.data.order"},
            given=[{"order": 1}, {"order": 1}, {"order": 2}],
            expect={"fresh": [{"order": 1}, {"order": 2}], "deduplicated": [{"order": 1}]},
        ),
        Example(
            title="Repeats go elsewhere",
            config={"key": "event.data.order", "window_seconds": 60},
            given=[{"order": 1}, {"order": 1}],
            expect={"fresh": [{"order": 1}], "repeat": [{"order": 1}]},
        ),
        Example(
            title="After the window a key is new",
            config={"key": "event.data.order", "window_seconds": 1},
            given=[{"order": 1}, {"order": 1}],
            expect={"fresh": [{"order": 1}, {"order": 1}]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_expression(self.config.key)

    def summary(self) -> str:
        key = self.config.key.replace("event.data.", "")
        return f"{key}, {self.config.window_seconds:g} s"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        value = self._key.evaluate(ctx.variables(event))
        return (stable_key(msgspec.json.encode(value, order="sorted").decode()),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        (key,) = self.state_keys(event, ctx)
        first_seen = ctx.state.get(key)
        if first_seen is None or ctx.now - first_seen >= self.config.window_seconds:
            ctx.state.set(key, ctx.now, ttl_seconds=self.config.window_seconds)
            yield "fresh", event
        else:
            yield Why({"first_seen": first_seen})
            yield "repeat", event
            yield Filtered("The key was seen before.", outcome="deduplicated")
