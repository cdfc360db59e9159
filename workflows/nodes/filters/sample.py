"""Let a part of the events through.

Either a fraction, chosen by chance, but the same for an event whenever it runs again; with a key,
all events of a key go the same way. Or every n-th event, counted in the order of their coming.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import OptionalExpressionText
from workflows.engine.keys import stable_random, value_key
from workflows.engine.node import Context, Example, Filter, Filtered, NodeConfig, Port, Result

_COUNT = "count"
_FORGET_SECONDS = 2_592_000.0


class Sample(Filter):
    label, icon = "Sample", "percent"
    outputs = (
        Port("out", "The events that were chosen."),
        Port("rest", "The others."),
    )

    class Config(NodeConfig):
        fraction: float = Field(
            default=0.1, ge=0, le=1, description="How many of all events: 0.1 is one in ten."
        )
        every: int = Field(
            default=0, ge=0, le=1_000_000_000, description="Instead: every n-th; 0 goes by chance."
        )
        key: OptionalExpressionText = Field(
            default="",
            description="By chance: a CEL expression; events for which it is the same go together.",
            examples=["event.data.customer"],
        )

    config: Config
    examples = (
        Example(
            title="Every third",
            config={"every": 3},
            given=[1, 2, 3],
            expect={"filtered": [1, 2], "out": [3]},
        ),
        Example(
            title="Half of the customers, with all that they do",
            config={"fraction": 0.5, "key": "event.data"},
            given=["a", "b", "a", "c"],
            expect={"out": ["a", "a"], "rest": ["b", "c"]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_expression(self.config.key)

    def summary(self) -> str:
        every = self.config.every
        return f"every {every:,}" if every else f"{self.config.fraction * 100:g} %"

    def check(self) -> list[tuple[str, str]]:
        if self.config.every and self.config.key:
            return [("key", "Every n-th event goes by no key: leave it empty.")]
        return []

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return (_COUNT,) if self.config.every else ()

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        if self._is_chosen(event, ctx):
            yield "out", event
        else:
            yield "rest", event
            yield Filtered("It is not part of the sample.")

    def _is_chosen(self, event: Event, ctx: Context) -> bool:
        if self.config.every:
            n = (ctx.state.get(_COUNT) or 0) + 1
            ctx.state.set(_COUNT, n % self.config.every, ttl_seconds=_FORGET_SECONDS)
            return bool(n % self.config.every == 0)
        if self.config.key:
            value = self._key.evaluate(ctx.variables(event))
            return stable_random(ctx.node_id, value_key(value)) < self.config.fraction
        return ctx.random(event) < self.config.fraction
