"""Keep the last value of each key.

Every event goes on; the value that was kept before can be put into it. The value is kept under the
key as it reads, and programs look it up at `/api/v1/flows/{slug}/nodes/{node}/values?key=…`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec
from pydantic import Field

from workflows.engine.event import JSON, Event
from workflows.engine.expression import Expression, compile_expression, compile_key
from workflows.engine.fields import ExpressionText, KeyText, OptionalDataPath
from workflows.engine.keys import key_text
from workflows.engine.node import Context, Example, Filter, NodeConfig, NodeError, Port, Result
from workflows.engine.shape import put, with_data

_MOST_BYTES = 65_536  # of a value


class State(Filter):
    label, icon = "Keep state", "database"
    outputs = (Port("out", "Every event."),)

    class Config(NodeConfig):
        key: KeyText = Field(
            description="A CEL expression; under each value that it gives, one value is kept.",
            examples=["event.data.device"],
        )
        value: ExpressionText = Field(
            default="event.data", description="A CEL expression for the value to keep."
        )
        previous_path: OptionalDataPath = Field(
            default="",
            description="Where to put the value that was kept before; empty: nowhere.",
            examples=["data.previous"],
        )
        forget_seconds: float = Field(
            default=2_592_000.0,
            ge=1,
            le=31_622_400,
            description="A value is forgotten when no event of its key came for this long.",
        )

    config: Config
    examples = (
        Example(
            title="What was the reading before?",
            config={
                "key": "event.data.meter",
                "value": "event.data.kwh",
                "previous_path": "data.before",
            },
            given=[{"meter": 7, "kwh": 100}, {"meter": 7, "kwh": 104}],
            expect={
                "out": [
                    {"meter": 7, "kwh": 100, "before": None},
                    {"meter": 7, "kwh": 104, "before": 100},
                ]
            },
        ),
        Example(
            title="Remember the last order of each customer",
            config={"key": "event.data.customer"},
            given=[{"customer": "a", "order": 1}],
            expect={"out": [{"customer": "a", "order": 1}]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    @cached_property
    def _value(self) -> Expression:
        return compile_expression(self.config.value)

    def summary(self) -> str:
        value = self.config.value.replace("event.data.", "")
        return f"{value} by {self.config.key.replace('event.data.', '')}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return (key_text(self._key.evaluate(ctx.variables(event))),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        (key,) = self.state_keys(event, ctx)
        value: JSON = self._value.evaluate(ctx.variables(event))
        if len(msgspec.json.encode(value)) > _MOST_BYTES:
            raise NodeError("limit", f"A value to keep may have {_MOST_BYTES:,} bytes.")
        known: dict[str, Any] | None = ctx.state.get(key)
        if known is not None and ctx.now - known["at"] >= self.config.forget_seconds:
            known = None
        # Partitions are read side by side: an older event doesn't replace a newer one's value.
        if known is None or ctx.now >= known["at"]:
            kept = {"value": value, "at": ctx.now}
            ctx.state.set(key, kept, ttl_seconds=self.config.forget_seconds)
        previous = known["value"] if known else None
        path = self.config.previous_path
        yield "out", with_data(event, put(event.data, path, previous)) if path else event
