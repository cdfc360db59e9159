"""Note that an event arrived, and do nothing else.

The end of a flow that only watches. The message, if there is one, is shown in the trace.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.fields import TemplateText
from workflows.engine.node import Consumer, Context, Delivered, Example, NodeConfig, Result
from workflows.engine.template import Template, compile_template


class Log(Consumer):
    label, icon = "Log", "scroll-text"

    class Config(NodeConfig):
        message: TemplateText = Field(
            default="",
            max_length=1_000,
            description="What to note; ${…} fills in values. May be empty.",
            examples=["${event.type}: ${event.data.amount}"],
        )

    config: Config
    examples = (
        Example(
            title="Only watch",
            config={},
            given=[{"amount": 5}],
            expect={"delivered": [{"amount": 5}]},
        ),
        Example(
            title="With a message",
            config={"message": "Got ${event.data.amount}"},
            given=[{"amount": 5}],
            expect={"delivered": [{"amount": 5}]},
        ),
    )

    @cached_property
    def _message(self) -> Template:
        return compile_template(self.config.message)

    def summary(self) -> str:
        return self.config.message

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        if self.config.message:
            yield Delivered(self._message.render(ctx.variables(event)))
