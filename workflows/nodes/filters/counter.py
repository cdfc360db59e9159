"""Count the events of each key, and let every n-th of them through.

What goes on carries the count at the path that is given. The count begins anew when no event came
for the forgetting time.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_key
from workflows.engine.fields import DataPath, KeyText
from workflows.engine.keys import value_key
from workflows.engine.node import Context, Example, Filter, Filtered, NodeConfig, Port, Result
from workflows.engine.shape import put, with_data


class Counter(Filter):
    label, icon = "Counter", "hash"
    outputs = (
        Port("out", "Every n-th event, with the count."),
        Port("other", "The events in between, as they came."),
    )

    class Config(NodeConfig):
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives is counted by itself.",
            examples=["event.data.customer"],
        )
        every: int = Field(
            default=1, ge=1, le=1_000_000_000, description="Let every n-th event through."
        )
        path: DataPath = Field(default="data.count", description="Where to put the count.")
        forget_seconds: float = Field(
            default=2_592_000.0,
            ge=1,
            le=31_622_400,
            description="The count begins anew when no event came for this long.",
        )

    config: Config
    examples = (
        Example(
            title="Number the orders of each customer",
            config={"key": "event.data.customer"},
            given=[{"customer": "a"}, {"customer": "b"}, {"customer": "a"}],
            expect={
                "out": [
                    {"customer": "a", "count": 1},
                    {"customer": "b", "count": 1},
                    {"customer": "a", "count": 2},
                ]
            },
        ),
        Example(
            title="Every third failure",
            config={"every": 3, "path": "data.failures"},
            given=[{"n": 1}, {"n": 2}, {"n": 3}],
            expect={"filtered": [{"n": 1}, {"n": 2}], "out": [{"n": 3, "failures": 3}]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    def summary(self) -> str:
        by = "" if self.config.key == '"all"' else f" by {self.config.key}"
        return f"count{by}" if self.config.every == 1 else f"every {self.config.every:,}{by}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return (value_key(self._key.evaluate(ctx.variables(event))),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        (key,) = self.state_keys(event, ctx)
        last: dict[str, Any] | None = ctx.state.get(key)
        forget = self.config.forget_seconds
        n = 1 if last is None or ctx.now - last["at"] >= forget else last["n"] + 1
        ctx.state.set(key, {"n": n, "at": ctx.now}, ttl_seconds=forget)
        if n % self.config.every == 0:
            yield "out", with_data(event, put(event.data, self.config.path, n))
        else:
            yield "other", event
            yield Filtered(f"Number {n:,}; every {self.config.every:,} goes on.")
