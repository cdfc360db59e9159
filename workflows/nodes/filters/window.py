"""Draw the events of a stretch of time together into one.

For each key, the events of a window become one event with the window's `key`, `start`, `end` and
`count`, the values that are asked for, and the `ids` of the first 1,000 events. Windows are
tumbling (one after another), sliding (a new one every so often, so that they overlap), sessions
(which end when nothing came for a while) or counts (which are full after so many events).

Time is when an event was accepted, or what the `time` expression gives. Such an event may come
late: a window waits for it for `lateness_seconds` after its end, or after its first event where
that came even later. What comes after that leaves by the port `late`. The first event of a window
is held until the window closes and then goes on as the window; the others end as batched.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec
from pydantic import Field, field_validator

from workflows.engine.aggregates import Aggregate, check_names
from workflows.engine.backlog import BACKLOG, note_backlog, wait_for_backlog
from workflows.engine.derived import STATE_SLACK_SECONDS, derive
from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression, compile_key
from workflows.engine.fields import KeyText, OptionalExpressionText
from workflows.engine.keys import value_key
from workflows.engine.moments import say_seconds, say_span, to_planned
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Filtered,
    Hold,
    NodeConfig,
    NodeError,
    Port,
    Result,
)
from workflows.engine.plain import rfc3339
from workflows.engine.spans import Book, Kind, Rule, Span, describe, enter, find_spans

_MOST_OVERLAP = 24
_TAKEN = ("key", "start", "end", "count", "ids", "left_out")
_MONTH = 2_678_400.0
_DAY = "2023-11-14T"  # of the examples


def _made(start: str, end: str, ids: list[str], **more: Any) -> dict[str, Any]:
    window = {"key": "all", "start": f"{_DAY}{start}Z", "end": f"{_DAY}{end}Z"}
    return {**window, "count": len(ids), "ids": ids, **more}


class Window(Filter):
    label, icon = "Window", "layers"
    outputs = (
        Port("out", "One event for each window, when it closes."),
        Port("late", "Events whose window has closed already."),
    )
    holds = True

    class Config(NodeConfig):
        kind: Kind = Field(default="tumbling", description="How events are put into windows.")
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives has windows of its own.",
            examples=["event.data.customer"],
        )
        seconds: float = Field(
            default=60.0,
            ge=0.1,
            le=_MONTH,
            description="How long a window is; a session or a count, at most.",
        )
        every_seconds: float = Field(
            default=0.0, ge=0, le=_MONTH, description="Sliding: how often a new window begins."
        )
        gap_seconds: float = Field(
            default=0.0, ge=0, le=_MONTH, description="Session: it ends when nothing came for this."
        )
        count: int = Field(
            default=0, ge=0, le=10_000, description="Count: how many events fill a window."
        )
        time: OptionalExpressionText = Field(
            default="",
            description="A CEL expression for the time of an event, as Unix seconds or ISO text;"
            " empty: when it was accepted.",
            examples=["event.time"],
        )
        lateness_seconds: float = Field(
            default=0.0, ge=0, le=_MONTH, description="With a time: how long to wait for the late."
        )
        values: list[Aggregate] = Field(
            default=[],
            max_length=20,
            description="What to draw from the events of a window.",
            examples=[[{"name": "total", "function": "sum", "value": "event.data.amount"}]],
        )
        event_type: str = Field(
            default="window", min_length=1, max_length=200, description="The type of the events."
        )

        @field_validator("values")
        @classmethod
        def _names_differ(cls, values: list[Aggregate]) -> list[Aggregate]:
            check_names([value.name for value in values], _TAKEN)
            return values

    config: Config
    examples = (
        Example(
            title="Sales by the minute",
            config={
                "key": "event.data.shop",
                "values": [{"name": "total", "function": "sum", "value": "event.data.sum"}],
            },
            given=[{"shop": "a", "sum": 2}, {"shop": "a", "sum": 3}, {"shop": "b", "sum": 5}],
            expect={
                "batched": [{"shop": "a", "sum": 3}],
                "out": [
                    _made("22:13:00", "22:14:00", ["example-0", "example-1"], key="a", total=5),
                    _made("22:13:00", "22:14:00", ["example-2"], key="b", total=5),
                ],
            },
        ),
        Example(
            title="In twos, or after ten minutes",
            config={"kind": "count", "count": 2, "seconds": 600},
            given=["a", "b", "c"],
            expect={
                "batched": ["a"],
                "out": [
                    _made("22:13:20", "22:13:21", ["example-0", "example-1"]),
                    _made("22:13:22", "22:23:22", ["example-2"]),
                ],
            },
        ),
        Example(
            title="By the time that the event tells",
            config={"time": "event.data", "seconds": 1, "lateness_seconds": 1},
            given=["2023-11-14T10:00:00.5Z", "2023-11-14T10:00:01Z", "2023-11-14T10:00:00.9Z"],
            expect={
                "late": ["2023-11-14T10:00:00.9Z"],
                "out": [
                    _made("10:00:00", "10:00:01", ["example-0"]),
                    _made("10:00:01", "10:00:02", ["example-1"]),
                ],
            },
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    @cached_property
    def _time(self) -> Expression:
        return compile_expression(self.config.time)

    @cached_property
    def _values(self) -> list[Expression]:
        return [compile_expression(value.value) for value in self.config.values]

    @cached_property
    def _rule(self) -> Rule:
        of = self.config
        return Rule(of.kind, of.seconds, of.every_seconds, of.gap_seconds, of.lateness_seconds)

    def summary(self) -> str:
        config = self.config
        size = {
            "tumbling": say_seconds(config.seconds),
            "sliding": f"{say_seconds(config.seconds)} every {say_seconds(config.every_seconds)}",
            "session": f"gap {say_seconds(config.gap_seconds)}",
            "count": f"{config.count} events",
        }[config.kind]
        by = "" if config.key == '"all"' else f" by {config.key.replace('event.data.', '')}"
        return f"{size}{by}"

    def check(self) -> list[tuple[str, str]]:
        config, wrong = self.config, []
        if config.kind == "sliding" and not (
            config.seconds / _MOST_OVERLAP <= config.every_seconds <= config.seconds
        ):
            says = f"Give from a {_MOST_OVERLAP}th of the window's length up to the whole of it."
            wrong.append(("every_seconds", says))
        if config.kind == "session" and not 0 < config.gap_seconds <= config.seconds:
            wrong.append(("gap_seconds", "Give a gap, at most as long as a session may be."))
        if config.kind == "count" and config.count < 2:
            wrong.append(("count", "Give the number of events that fill a window: 2 or more."))
        if config.kind == "count" and config.time:
            wrong.append(("time", "Windows of a count of events don't go by time: leave it empty."))
        if config.lateness_seconds and not config.time:
            wrong.append(("lateness_seconds", "Only what has a time of its own can be late."))
        return wrong

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return value_key(self._key.evaluate(ctx.variables(event))), BACKLOG

    # --- an event comes
    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        note_backlog(ctx)
        (at, _), book = self.state_keys(event, ctx), self._book(event, ctx)
        values = [value.evaluate(ctx.variables(event)) for value in self._values]
        spans = self._spans(book, event, ctx)
        if not spans:
            yield "late", event
            yield Filtered("Its window has closed already.")
            return
        for span in spans:
            enter(span, event.id, self.config.values, values)
        full = self.config.kind == "count" and spans[0].n == self.config.count
        if full:
            book.open.remove(spans[0])
        self._keep(ctx, at, book)
        mine = [span for span in spans if span.leader == ctx.key]
        if full:
            yield "out", self._event(event, ctx, spans[0], ctx.now)
        elif mine:
            first = min(mine, key=lambda span: span.due)
            yield Hold(first.due, f"Leads the window {say_span(first.start, first.end)}.")
        else:
            last = spans[-1]
            says = f"In the window {say_span(last.start, last.end)}."
            yield Filtered(says, outcome="batched")

    def _spans(self, book: Book, event: Event, ctx: Context) -> list[Span]:
        moment = max(ctx.now, book.closed_until(ctx.now))
        if self.config.time:
            moment = to_planned(self._time.evaluate(ctx.variables(event)), ctx.now)
        return find_spans(book, self._rule, ctx.key, moment, ctx.now, self.config.values)

    # --- a window closes
    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        (at, _), book = self.state_keys(event, ctx), self._book(event, ctx)
        mine = [span for span in book.open if span.leader == ctx.key]
        over = [span for span in mine if span.due <= ctx.now]
        hold = wait_for_backlog(ctx, max(span.due for span in over)) if over else None
        if hold is not None:
            yield hold
            return
        for span in sorted(over, key=lambda one: one.end):
            book.open.remove(span)
            book.closed = max(book.closed, span.end)
            yield "out", self._event(event, ctx, span, span.end)
        self._keep(ctx, at, book)
        if len(mine) > len(over):
            due = min(span.due for span in mine if span.due > ctx.now)
            yield Hold(due, "Leads a window that is still open.")
        elif not mine and self.config.kind in ("session", "count"):
            yield Filtered("Its window went on with another event.", outcome="batched")
        elif not mine:
            raise NodeError("state", "What is known of its window has expired.")

    def _event(self, event: Event, ctx: Context, span: Span, end: float) -> Event:
        key = self._key.evaluate(ctx.variables(event))
        data = describe(span, key, end, self.config.values)
        # A count's start isn't its own: two can begin in the same instant.
        lead = span.leader if self.config.kind == "count" else ""
        name = ctx.name("window", value_key(key), rfc3339(span.start), lead)
        return derive(ctx, name, self.config.event_type, data, at=end)

    # --- memory
    def _book(self, event: Event, ctx: Context) -> Book:
        (at, _) = self.state_keys(event, ctx)
        return msgspec.convert(ctx.state.get(at) or {}, Book)

    def _keep(self, ctx: Context, at: str, book: Book) -> None:
        last = max([ctx.now, *(span.due for span in book.open)])
        ctx.state.set(at, msgspec.to_builtins(book), last - ctx.now + STATE_SLACK_SECONDS)
