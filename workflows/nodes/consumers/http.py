"""Send each event to a web address.

By default the event goes as CloudEvents JSON by POST. An `Idempotency-Key` header, the same for
every attempt, lets the receiver notice repeats. Answers from 200 to 299 count as delivered; no
answer, and the answers 408, 425, 429 and 500 to 599, are tried again; other answers fail at once.
"""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from pydantic import AfterValidator, Field

from workflows.engine.effects import Effect, HttpRequest, Reply
from workflows.engine.event import JSON, Event
from workflows.engine.fields import LongTemplateText, TemplateText
from workflows.engine.node import (
    Consumer,
    Context,
    Delivered,
    Example,
    Failed,
    NodeConfig,
    NodeError,
    Port,
    Result,
)
from workflows.engine.retry import RetryPolicy
from workflows.engine.template import Template, compile_template

_RETRIED = frozenset((408, 425, 429))
_SHOWN_BODY = 500


def _check_url(url: str) -> str:
    if not url.startswith(("http://", "https://", "${")):
        raise ValueError("The address must begin with https:// or http://.")
    return url


def _check_header(name: str) -> str:
    if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
        raise ValueError(f'"{name}" can\'t be the name of a header.')
    return name


class Http(Consumer):
    label, icon = "HTTP request", "globe"
    outputs = (Port("response", "The event, its data replaced by the answer's body."),)

    class Config(NodeConfig):
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
            default="POST", description="The HTTP method."
        )
        url: Annotated[TemplateText, AfterValidator(_check_url)] = Field(
            min_length=1,
            max_length=2_000,
            description="The address; ${…} fills in values, which are quoted.",
            examples=["https://example.org/orders/${event.data.id}"],
        )
        headers: dict[Annotated[str, AfterValidator(_check_header)], TemplateText] = Field(
            default={},
            max_length=50,
            description="Header name → value; ${…} fills in values.",
            json_schema_extra={"widget": "keyvalue", "value": "template"},
        )
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
        timeout_seconds: float = Field(
            default=10.0, gt=0, le=60, description="How long to wait for the answer."
        )
        retry: RetryPolicy = Field(
            default=RetryPolicy(), description="How often a failed request is made again."
        )

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

    def retry_policy(self) -> RetryPolicy:
        return self.config.retry

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        kind, body = self._content(event, variables)
        headers = {"Content-Type": kind} if kind else {}
        for name, template in self._headers:
            if name.lower() == "content-type":
                headers.pop("Content-Type", None)
            headers[name] = _header_value(name, template.render(variables))
        yield HttpRequest(
            method=self.config.method,
            url=self._url.render_url(variables, _quote),
            headers=headers,
            body=body,
            timeout_seconds=self.config.timeout_seconds,
        )

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        if reply.error:
            again = reply.error in ("timeout", "connection")
            yield Failed(reply.error, reply.message or reply.error, retry=again)
        elif 200 <= reply.status < 300:
            yield Delivered({"status": reply.status})
            extensions = {**event.extensions, "httpstatus": reply.status}
            data = _parse(reply.body)
            yield "response", event.replace(data=data, data_base64=None, extensions=extensions)
        else:
            yield Failed(
                f"status-{reply.status}",
                f"The receiver answered {reply.status}.",
                retry=reply.status in _RETRIED or reply.status >= 500,
                detail={"status": reply.status, "body": reply.body[:_SHOWN_BODY]},
                after_seconds=_retry_after(reply),
            )

    def _content(self, event: Event, variables: Any) -> tuple[str, str]:
        kind = "none" if self.config.method == "GET" else self.config.body
        if kind == "event":
            return "application/cloudevents+json", msgspec.json.encode(variables.event).decode()
        if kind == "data":
            return "application/json", msgspec.json.encode(event.data).decode()
        if kind == "template":
            return "text/plain; charset=utf-8", self._body.render(variables)
        return "", ""


def _quote(text: str) -> str:
    return quote(text, safe="")


def _header_value(name: str, value: str) -> str:
    if any(c in value for c in "\r\n\0"):
        raise NodeError("header", f"The header {name} would have a line break in its value.")
    return value


def _parse(body: str) -> JSON:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body


def _retry_after(reply: Reply) -> float:
    """Seconds of patience that the receiver asks for; a date counts from its own clock."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    wish = headers.get("retry-after", "").strip()
    if wish.isdigit():
        return float(wish)
    try:
        until = parsedate_to_datetime(wish)
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, KeyError, TypeError):
        return 0.0
