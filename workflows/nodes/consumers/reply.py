"""Answer the caller that waits for the flow.

A program that triggers the flow with `?wait=` gets this answer; the first answer to an event wins.
When nobody waits, the answer is only noted in the trace.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.effects import Answer
from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import ExpressionText, LongTemplateText
from workflows.engine.node import Consumer, Context, Example, NodeConfig, Result
from workflows.engine.template import Template, compile_template


class Reply(Consumer):
    label, icon = "Reply", "reply"

    class Config(NodeConfig):
        status: int = Field(default=200, ge=200, le=599, description="The HTTP status.")
        body: ExpressionText = Field(
            default="event.data", description="A CEL expression: the JSON to answer with."
        )
        text: LongTemplateText = Field(
            default="",
            description="A text to answer with instead of the JSON; ${…} fills in values.",
        )

    config: Config
    examples = (
        Example(
            title="The event's data",
            config={},
            given=[{"total": 6}],
            expect={"answer": [{"status": 200, "body": {"total": 6}}]},
        ),
        Example(
            title="Only what the caller needs",
            config={"status": 201, "body": '{"id": event.id, "ok": event.data.total > 5}'},
            given=[{"total": 6}],
            expect={"answer": [{"status": 201, "body": {"id": "example-0", "ok": True}}]},
        ),
        Example(
            title="A plain text",
            config={"text": "Total: ${event.data.total}"},
            given=[{"total": 6}],
            expect={
                "answer": [
                    {
                        "body": "Total: 6",
                        "headers": {"content-type": "text/plain; charset=utf-8"},
                    }
                ]
            },
        ),
    )

    @cached_property
    def _body(self) -> Expression:
        return compile_expression(self.config.body)

    @cached_property
    def _text(self) -> Template:
        return compile_template(self.config.text)

    def summary(self) -> str:
        return f"{self.config.status} {self.config.text or self.config.body}".replace("\n", " ")

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        if self.config.text:
            headers = {"content-type": "text/plain; charset=utf-8"}
            body = self._text.render(variables)
            yield Answer(status=self.config.status, body=body, headers=headers)
        else:
            yield Answer(status=self.config.status, body=self._body.evaluate(variables))
