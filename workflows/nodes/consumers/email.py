"""Send each event as an e-mail.

A plain text, through the mail server that the site is set up with. A server that can't be reached,
or asks for patience, is tried again; an address that it refuses is a failure at once.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.calls import CallConfig
from workflows.engine.effects import Effect, Mail, Reply
from workflows.engine.event import Event
from workflows.engine.fields import LongTemplateText, TemplateText
from workflows.engine.node import (
    Consumer,
    Context,
    Delivered,
    Example,
    Failed,
    NodeError,
    Result,
)
from workflows.engine.template import Template, compile_template


class Email(Consumer):
    label, icon = "E-mail", "mail"

    class Config(CallConfig):
        to: list[TemplateText] = Field(
            min_length=1,
            max_length=20,
            description="The addresses; ${…} fills in values.",
            json_schema_extra={"widget": "list"},
            examples=[["ops@example.org"]],
        )
        subject: TemplateText = Field(
            min_length=1, max_length=500, description="The subject; ${…} fills in values."
        )
        body: LongTemplateText = Field(
            default="${event.data}",
            max_length=20_000,
            description="The text; ${…} fills in values.",
        )

    config: Config
    examples = (
        Example(
            title="Tell the team",
            config={
                "to": ["ops@example.org"],
                "subject": "Order ${event.data.id}",
                "body": "Sum: ${event.data.sum}",
            },
            given=[{"id": 7, "sum": 12.5}],
            expect={
                "mail": [{"to": ["ops@example.org"], "subject": "Order 7", "body": "Sum: 12.5"}],
                "delivered": [{"id": 7, "sum": 12.5}],
            },
        ),
        Example(
            title="To whom the event names",
            config={"to": ["${event.data.email}"], "subject": "Welcome"},
            given=[{"email": "ada@example.org"}, {"email": "nonsense"}],
            expect={
                "mail": [{"to": ["ada@example.org"], "subject": "Welcome"}],
                "error": [{"email": "nonsense"}],
            },
        ),
    )

    @cached_property
    def _to(self) -> list[Template]:
        return [compile_template(address) for address in self.config.to]

    @cached_property
    def _subject(self) -> Template:
        return compile_template(self.config.subject)

    @cached_property
    def _body(self) -> Template:
        return compile_template(self.config.body)

    def summary(self) -> str:
        return ", ".join(self.config.to)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        yield Mail(
            to=[_address(template.render(variables)) for template in self._to],
            subject=" ".join(self._subject.render(variables).split()),
            body=self._body.render(variables),
        )

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        if not reply.error and reply.ok and reply.status < 400:
            yield Delivered({"message": reply.message} if reply.message else None)
            return
        kind = reply.error or f"status-{reply.status}"
        # SMTP: 4yz means "not now", 5yz "never".
        again = reply.error in ("timeout", "connection") or 400 <= reply.status < 500
        yield Failed(kind, reply.message or "The mail server refused the message.", retry=again)


def _address(text: str) -> str:
    address = text.strip()
    local, at, host = address.rpartition("@")
    if not (local and at and host) or any(c.isspace() or c in ",;<>" for c in address):
        raise NodeError("address", f'"{address}" is not an e-mail address.')
    return address
