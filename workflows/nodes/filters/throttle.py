"""Let through only so many events in a stretch of time.

Each key has its own allowance: any stretch of `seconds` sees at most `count` of its events. Beyond
that, events are dropped, or held for their turn, in the order in which they came. A queue that is
full turns events away by the port `overflow`.

What is dropped goes by the time at which events were accepted, so a flow that catches up drops no
more than one that is never behind. Turns are given by the present, for the sake of the receiver.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from workflows.engine.derived import STATE_SLACK_SECONDS
from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_key
from workflows.engine.fields import KeyText
from workflows.engine.keys import value_key
from workflows.engine.moments import say_seconds
from workflows.engine.node import Context, Example, Filter, Filtered, Hold, NodeConfig, Port, Result

_LOST_SECONDS = 3_600.0
_LATE_SECONDS = 2.0  # after its turn: then it gets another one, lest all the late go at once


class Throttle(Filter):
    label, icon = "Throttle", "gauge"
    outputs = (
        Port("out", "Events within the allowance."),
        Port("overflow", "Events that are turned away."),
    )
    holds = True

    class Config(NodeConfig):
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives has its own allowance.",
            examples=["event.data.customer"],
        )
        count: int = Field(default=1, ge=1, le=1_000, description="How many events to let through.")
        seconds: float = Field(
            default=1.0, gt=0, le=2_592_000, description="In which stretch of time."
        )
        over: Literal["drop", "hold"] = Field(
            default="drop", description="What happens to the others."
        )
        max_held: int = Field(
            default=1_000, ge=1, le=100_000, description="Hold: how many of a key may wait."
        )

    config: Config
    examples = (
        Example(
            title="One alarm an hour for each device",
            config={"key": "event.data.device", "seconds": 3600},
            given=[{"device": 1}, {"device": 1}, {"device": 2}],
            expect={"out": [{"device": 1}, {"device": 2}], "filtered": [{"device": 1}]},
        ),
        Example(
            title="Two in ten seconds, the others in their turn",
            config={"count": 2, "seconds": 10, "over": "hold"},
            given=["a", "b", "c"],
            expect={"out": ["a", "b", "c"], "held": ["c"]},
        ),
        Example(
            title="No more than one may wait",
            config={"seconds": 60, "over": "hold", "max_held": 1},
            given=["a", "b", "c"],
            expect={"out": ["a", "b"], "overflow": ["c"]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    def summary(self) -> str:
        by = "" if self.config.key == '"all"' else f" by {self.config.key}"
        return f"{self.config.count} in {say_seconds(self.config.seconds)}{by}, {self.config.over}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return (value_key(self._key.evaluate(ctx.variables(event))),)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        holds = self.config.over == "hold"
        turns, waiting = self._known(event, ctx)
        now = max(ctx.now, ctx.wall) if holds else ctx.now
        turn = self._next_turn(turns, now)
        if turn <= now and not (holds and waiting):
            self._keep(event, ctx, [*turns, turn], waiting)
            yield "out", event
        elif holds and waiting < self.config.max_held:
            self._keep(event, ctx, [*turns, turn], waiting + 1)
            yield Hold(turn, "Waits for its turn.")
        else:
            yield "overflow", event
            yield Filtered("The queue is full." if holds else "There were too many of its key.")

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        turns, waiting = self._known(event, ctx)
        turn = ctx.now
        if ctx.wall - ctx.now > _LATE_SECONDS:
            turn = self._next_turn(turns, ctx.wall)
            turns = [*turns, turn]
        if turn > ctx.wall > ctx.now:
            self._keep(event, ctx, turns, waiting)
            yield Hold(turn, "Its turn was missed: waits for another.")
        else:
            self._keep(event, ctx, turns, max(waiting - 1, 0))
            yield "out", event

    def _next_turn(self, turns: list[float], now: float) -> float:
        """The first moment from `now` on that keeps to the allowance, behind all turns given."""
        if len(turns) < self.config.count:
            return max([now, *turns[-1:]])
        return max(now, turns[-1], turns[-self.config.count] + self.config.seconds)

    def _known(self, event: Event, ctx: Context) -> tuple[list[float], int]:
        """The last turns given, also those still to come, and how many events wait."""
        (key,) = self.state_keys(event, ctx)
        known: dict[str, Any] = ctx.state.get(key) or {"turns": [], "waiting": 0}
        turns = known["turns"]
        # Events that were held in a version without this node never came back.
        lost = bool(turns) and ctx.now - turns[-1] > _LOST_SECONDS
        return turns, 0 if lost else known["waiting"]

    def _keep(self, event: Event, ctx: Context, turns: list[float], waiting: int) -> None:
        (key,) = self.state_keys(event, ctx)
        turns = turns[-self.config.count :]
        ttl = max([*turns[-1:], ctx.now]) - ctx.now + self.config.seconds
        ttl += STATE_SLACK_SECONDS if waiting else 0.0
        ctx.state.set(key, {"turns": turns, "waiting": waiting}, ttl_seconds=ttl)
