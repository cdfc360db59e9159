"""Let events through that meet a condition, and lead the others elsewhere.

The condition is a CEL expression that gives true or false, such as
`event.data.amount > 100 && event.type == "order.created"`. Each step tells the value of every part
of it. A condition that can't be worked out, because a key is missing for instance, is a failure and
never a silent "no"; test with `has(event.data.key)` where a key may be absent.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.fields import ConditionText
from workflows.engine.node import (
    Context,
    Example,
    Failed,
    Filter,
    NodeConfig,
    Port,
    Result,
    Why,
)
from workflows.engine.why import Condition as CompiledCondition


class Condition(Filter):
    label, icon = "Condition", "split"
    outputs = (
        Port("match", "Events that meet the condition."),
        Port("other", "Events that don't."),
    )

    class Config(NodeConfig):
        condition: ConditionText = Field(
            description="A CEL expression that gives true or false.",
            examples=["event.data.amount > 100"],
        )

    config: Config
    examples = (
        Example(
            title="Only large orders",
            config={"condition": "event.data.amount > 100"},
            given=[{"amount": 60.5}, {"amount": 120}],
            expect={"match": [{"amount": 120}], "other": [{"amount": 60.5}]},
        ),
        Example(
            title="A key that may be absent",
            config={"condition": "has(event.data.vip) && event.data.vip"},
            given=[{"vip": True}, {}],
            expect={"match": [{"vip": True}], "filtered": [{}]},
        ),
        Example(
            title="A missing key is a failure",
            config={"condition": "event.data.amount > 100"},
            given=[{"sum": 1}],
            expect={"error": [{"sum": 1}]},
        ),
    )

    @cached_property
    def _condition(self) -> CompiledCondition:
        return CompiledCondition(self.config.condition)

    def summary(self) -> str:
        return self.config.condition.replace("event.data.", "")

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        value, because, error = self._condition.decide(ctx.variables(event))
        yield Why({"condition": because, "result": value})
        if value is None:
            yield Failed("expression", error)
        else:
            yield "match" if value else "other", event
