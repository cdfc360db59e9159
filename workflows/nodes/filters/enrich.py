"""Look something up at a web address, and put the answer into the event.

The answer to a GET request, as JSON where it is JSON, goes to the path that is given. An answer can
be kept for a while and used again for the same address and headers; events that come together
before the first answer is there all ask. With 404, an event leaves by `not_found`, or fails, or
goes on with null. Otherwise failures are treated as those of an HTTP request.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

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
from workflows.engine.event import JSON, Event
from workflows.engine.fields import DataPath
from workflows.engine.keys import value_key
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Filtered,
    Port,
    Result,
    Why,
)
from workflows.engine.shape import put, with_data
from workflows.engine.template import Template, compile_template


class Enrich(Filter):
    label, icon = "Enrich", "scan-search"
    outputs = (
        Port("out", "The event with what was found."),
        Port("not_found", "Events for which the answer was 404."),
    )

    class Config(CallConfig):
        url: UrlText = Field(examples=["https://example.org/users/${event.data.user}"])
        headers: Headers = Field(default={})
        path: DataPath = Field(default="data.found", description="Where to put the answer.")
        cache_seconds: float = Field(
            default=0.0, ge=0, le=604_800, description="How long to use an answer again."
        )
        not_found: Literal["port", "fail", "null"] = Field(
            default="port", description="What to do when the answer is 404."
        )
        timeout_seconds: TimeOut = 10.0
        retry_statuses: StatusList = RETRIED

    config: Config
    examples = (
        Example(
            title="Who is it?",
            config={
                "url": "https://example.org/users/${event.data.user}",
                "path": "data.who",
                "cache_seconds": 300,
            },
            given=[{"user": 7}, {"user": 7}],
            replies=[{"ok": True, "status": 200, "body": '{"name": "Ada"}'}],
            expect={
                "http": [{"method": "GET", "url": "https://example.org/users/7"}],
                "out": [{"user": 7, "who": {"name": "Ada"}}, {"user": 7, "who": {"name": "Ada"}}],
            },
        ),
        Example(
            title="Nobody by that name",
            config={"url": "https://example.org/users/${event.data.user}"},
            given=[{"user": "x"}],
            replies=[{"ok": True, "status": 404}],
            expect={"not_found": [{"user": "x"}]},
        ),
        Example(
            title="It may be unknown",
            config={"url": "https://example.org/a", "not_found": "null", "path": "data"},
            given=[{"user": "x"}],
            replies=[{"ok": True, "status": 404}],
            expect={"out": [None]},
        ),
    )

    @cached_property
    def _url(self) -> Template:
        return compile_template(self.config.url)

    @cached_property
    def _headers(self) -> list[tuple[str, Template]]:
        return [(name, compile_template(text)) for name, text in self.config.headers.items()]

    def summary(self) -> str:
        return self.config.url.partition("://")[2] or self.config.url

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        if not self.config.cache_seconds:
            return ()
        request = self._request(event, ctx)
        return (value_key([request.url, request.headers]),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        for key in self.state_keys(event, ctx):
            cached: dict[str, Any] | None = ctx.state.get(key)
            present = max(ctx.now, ctx.wall)
            if cached is not None and present - cached["at"] < self.config.cache_seconds:
                yield Why({"cached": True})
                yield from self._go_on(event, cached["found"], cached["body"])
                return
        yield self._request(event, ctx)

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        found = reply.error != "" or reply.status != 404
        failure = failure_of(reply, self.config.retry_statuses)
        if failure is not None and (found or self.config.not_found == "fail"):
            yield failure
            return
        body = parse_body(reply) if found else None
        for key in self.state_keys(event, ctx):
            known = {"found": found, "body": body, "at": ctx.now}
            ctx.state.set(key, known, ttl_seconds=self.config.cache_seconds)
        yield from self._go_on(event, found, body)

    def _request(self, event: Event, ctx: Context) -> HttpRequest:
        variables = ctx.variables(event)
        headers = {name: render_header(name, value, variables) for name, value in self._headers}
        return HttpRequest(
            method="GET",
            url=render_url(self._url, variables),
            headers=headers,
            timeout_seconds=self.config.timeout_seconds,
        )

    def _go_on(self, event: Event, found: bool, body: JSON) -> Iterator[Result]:
        if found or self.config.not_found == "null":
            yield "out", with_data(event, put(event.data, self.config.path, body))
        else:
            yield "not_found", event
            yield Filtered("Nothing was found: the answer was 404.")
