"""Keep each event for a while, or until a moment, then let it go on.

The time counts from the moment the event was accepted; behind another delay, from the moment that
one let it go; behind a request, from the moment of the answer. A moment is given by an expression:
a time, ISO text or Unix seconds, at most 366 days ahead; an event whose moment is past goes on at
once. A restart loses no event on hold.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import OptionalExpressionText
from workflows.engine.moments import LONGEST_SECONDS, say_seconds, to_planned
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Hold,
    NodeConfig,
    Port,
    Result,
)
from workflows.engine.plain import rfc3339


class Delay(Filter):
    label, icon = "Delay", "timer"
    outputs = (Port("out", "The event, when its time has come."),)
    holds = True

    class Config(NodeConfig):
        seconds: float | None = Field(
            default=None,
            gt=0,
            le=LONGEST_SECONDS,
            description="How long to keep each event: at most 366 days.",
        )
        until: OptionalExpressionText = Field(
            default="",
            description="Instead: a CEL expression for the moment until which to keep it.",
            examples=["event.data.due", 'timestamp(event.time) + duration("2h")'],
        )

    config: Config
    examples = (
        Example(
            title="Remind an hour later",
            config={"seconds": 3600},
            given=[{"cart": 7}],
            expect={"held": [{"cart": 7}], "out": [{"cart": 7}]},
        ),
        Example(
            title="Half a second to settle down",
            config={"seconds": 0.5},
            given=[{"n": 1}, {"n": 2}],
            expect={"out": [{"n": 1}, {"n": 2}]},
        ),
        Example(
            title="Until a moment that the event names, if it is still to come",
            config={"until": "event.data.due"},
            given=[{"due": "2023-11-14T22:13:00Z"}, {"due": "2023-11-15T08:00:00+01:00"}],
            expect={
                "held": [{"due": "2023-11-15T08:00:00+01:00"}],
                "out": [{"due": "2023-11-14T22:13:00Z"}, {"due": "2023-11-15T08:00:00+01:00"}],
            },
        ),
    )

    @cached_property
    def _until(self) -> Expression:
        return compile_expression(self.config.until)

    def summary(self) -> str:
        if self.config.seconds is None:
            return f"until {self.config.until.replace('event.data.', '')}"
        return say_seconds(self.config.seconds)

    def check(self) -> list[tuple[str, str]]:
        if (self.config.seconds is None) == (not self.config.until):
            return [("seconds", "Give either a number of seconds or the moment to wait for.")]
        return []

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        if self.config.seconds is not None:
            says = f"Delayed for {say_seconds(self.config.seconds)}."
            yield Hold(ctx.now + self.config.seconds, says)
            return
        moment = to_planned(self._until.evaluate(ctx.variables(event)), ctx.now)
        if moment > ctx.now:
            yield Hold(moment, f"Waits until {rfc3339(moment)}.")
        else:
            yield "out", event

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield "out", event
