"""Let an event through only when its value has changed.

The value is compared with that of the last event of its key that went through. For numbers, a
deadband leaves out changes that are smaller: absolute, or in percent of the last value. The first
event of a key always goes through.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import Field

from workflows.engine.event import JSON, Event
from workflows.engine.expression import Expression, compile_expression, compile_key
from workflows.engine.fields import ExpressionText, KeyText
from workflows.engine.keys import value_key
from workflows.engine.node import Context, Example, Filter, Filtered, NodeConfig, Port, Result, Why


class OnChange(Filter):
    label, icon = "On change", "diff"
    outputs = (
        Port("changed", "Events whose value has changed."),
        Port("same", "Events whose value is the same, or nearly."),
    )

    class Config(NodeConfig):
        value: ExpressionText = Field(
            default="event.data",
            description="A CEL expression for the value to watch.",
            examples=["event.data.temperature"],
        )
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives is watched by itself.",
            examples=["event.data.device"],
        )
        deadband: float = Field(
            default=0.0, ge=0, description="Numbers: the least change that counts."
        )
        deadband_percent: float = Field(
            default=0.0, ge=0, le=1_000, description="The same, in percent of the last value."
        )
        forget_seconds: float = Field(
            default=2_592_000.0,
            ge=1,
            le=31_622_400,
            description="After this long without a change, the next event goes through again.",
        )

    config: Config
    examples = (
        Example(
            title="A door opens and closes",
            config={"value": "event.data.open", "key": "event.data.door"},
            given=[
                {"door": 1, "open": True},
                {"door": 1, "open": True},
                {"door": 1, "open": False},
            ],
            expect={
                "changed": [{"door": 1, "open": True}, {"door": 1, "open": False}],
                "filtered": [{"door": 1, "open": True}],
            },
        ),
        Example(
            title="Half a degree or more",
            config={"deadband": 0.5},
            given=[20.0, 20.3, 20.5, 20.1, 20.0],
            expect={"changed": [20.0, 20.5, 20.0], "same": [20.3, 20.1]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    @cached_property
    def _value(self) -> Expression:
        return compile_expression(self.config.value)

    def summary(self) -> str:
        return f"{self.config.value.replace('event.data.', '')} changes"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return (value_key(self._key.evaluate(ctx.variables(event))),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        (key,) = self.state_keys(event, ctx)
        value = self._value.evaluate(ctx.variables(event))
        last: dict[str, Any] | None = ctx.state.get(key)
        forgotten = last is not None and ctx.now - last["at"] >= self.config.forget_seconds
        if last is None or forgotten or self._has_changed(last["value"], value):
            known = {"value": self._kept(value), "at": ctx.now}
            ctx.state.set(key, known, ttl_seconds=self.config.forget_seconds)
            yield "changed", event
        else:
            yield Why({"last": last["value"]})
            yield "same", event
            yield Filtered("The value has not changed.")

    def _has_changed(self, last: JSON, value: JSON) -> bool:
        if not (_is_number(last) and _is_number(value)):
            return bool(last != self._kept(value) or type(last) is not type(self._kept(value)))
        if not (self.config.deadband or self.config.deadband_percent):
            return bool(last != value)
        change = abs(value - last)
        percent = self.config.deadband_percent
        # Each deadband that is set must be reached; decimals are rounded.
        enough = change >= self.config.deadband * (1 - 1e-9)
        return bool(change and enough and change >= abs(last) * percent / 100 * (1 - 1e-9))

    def _kept(self, value: JSON) -> JSON:
        """Numbers as they are; of anything large a hash tells as well whether it has changed."""
        large = isinstance(value, (list, dict)) or (isinstance(value, str) and len(value) > 200)
        return f"#{value_key(value)}" if large else value


def _is_number(value: JSON) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
