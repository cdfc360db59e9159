"""Send each event to a web address.

By default the event goes as CloudEvents JSON by POST. An `Idempotency-Key` header, the same for
every attempt, lets the receiver notice repeats. Answers from 200 to 299 count as delivered; no
answer, and the answers 408, 425, 429 and 500 to 599, are tried again; other answers fail at once.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import msgspec
from pydantic import Field

from workflows.engine.calls import (
    RETRIED,
    CallConfig,
    Headers,
    StatusList,
    TimeOut,
    UrlText,
    failure_of,
    parse_body,
    render_header,
    render_url,
)
from workflows.engine.effects import Effect, HttpRequest, Reply
from workflows.engine.event import Event
from workflows.engine.fields import LongTemplateText
from workflows.engine.node import (
    Consumer,
    Context,
    Delivered,
    Example,
    Port,
    Result,
)
from workflows.engine.template import Template, compile_template


class Http(Consumer):
    label, icon = "HTTP request", "globe"
    outputs = (Port("response", "The event, its data replaced by the answer's body."),)

    class Config(CallConfig):
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
            default="POST", description="The HTTP method."
        )
        url: UrlText = Field(examples=["https://example.org/orders/${event.data.id}"])
        headers: Headers = Field(default={})
        body: Literal["event", "data", "template", "none"] = Field(
            default="event",
            description="What to send: the whole event (CloudEvents), its data as JSON, the text"
            " of the template, or nothing. GET never sends a body.",
        )
        template: LongTemplateText = Field(
            default="",
            max_length=100_000,
            description="The body when it is a template; ${…} fills in values.",
        )
        timeout_seconds: TimeOut = 10.0
        retry_statuses: StatusList = RETRIED

    config: Config
    examples = (
        Example(
            title="Tell another service",
            config={"url": "https://example.org/orders"},
            given=[{"id": 1}],
            replies=[{"ok": True, "status": 202}],
            expect={
                "http": [{"method": "POST", "url": "https://example.org/orders"}],
                "delivered": [{"id": 1}],
            },
        ),
        Example(
            title="Ask, and go on with the answer",
            config={"method": "GET", "url": "https://example.org/users/${event.data.user}"},
            given=[{"user": "a/b"}],
            replies=[{"ok": True, "status": 200, "body": '{"name": "Ada"}'}],
            expect={
                "http": [{"url": "https://example.org/users/a%2Fb", "body": ""}],
                "response": [{"name": "Ada"}],
            },
        ),
        Example(
            title="Busy at first: tried again",
            config={"url": "https://example.org/x", "body": "data", "retry": {"attempts": 2}},
            given=[{"n": 1}],
            replies=[{"ok": True, "status": 503}, {"ok": True, "status": 200}],
            expect={"http": [{"body": '{"n":1}'}], "retrying": [{"n": 1}], "delivered": [{"n": 1}]},
        ),
        Example(
            title="Refused by the receiver: not tried again",
            config={"url": "https://example.org/x"},
            given=[{"n": 1}],
            replies=[{"ok": True, "status": 400, "body": "no"}],
            expect={"error": [{"n": 1}]},
        ),
    )

    @cached_property
    def _url(self) -> Template:
        return compile_template(self.config.url)

    @cached_property
    def _headers(self) -> list[tuple[str, Template]]:
        return [(name, compile_template(text)) for name, text in self.config.headers.items()]

    @cached_property
    def _body(self) -> Template:
        return compile_template(self.config.template)

    def summary(self) -> str:
        address = self.config.url.partition("://")[2] or self.config.url
        return f"{self.config.method} {address}"

    def check(self) -> list[tuple[str, str]]:
        if self.config.body == "template" and not self.config.template:
            return [("template", "Write the template, or choose another body.")]
        return []

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        kind, body = self._content(event, variables)
        headers = {"Content-Type": kind} if kind else {}
        for name, template in self._headers:
            if name.lower() == "content-type":
                headers.pop("Content-Type", None)
            headers[name] = render_header(name, template, variables)
        yield HttpRequest(
            method=self.config.method,
            url=render_url(self._url, variables),
            headers=headers,
            body=body,
            timeout_seconds=self.config.timeout_seconds,
        )

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        failure = failure_of(reply, self.config.retry_statuses)
        if failure is not None:
            yield failure
            return
        yield Delivered({"status": reply.status})
        extensions = {**event.extensions, "httpstatus": reply.status}
        data = parse_body(reply)
        yield "response", event.replace(data=data, data_base64=None, extensions=extensions)

    def _content(self, event: Event, variables: Any) -> tuple[str, str]:
        kind = "none" if self.config.method == "GET" else self.config.body
        if kind == "event":
            return "application/cloudevents+json", msgspec.json.encode(variables.event).decode()
        if kind == "data":
            return "application/json", msgspec.json.encode(event.data).decode()
        if kind == "template":
            return "text/plain; charset=utf-8", self._body.render(variables)
        return "", ""
