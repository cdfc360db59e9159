"""Bring together two events of the same key that belong together.

An event that meets `first` waits for one that meets `second`, at most for `within_seconds`. When
that comes, it goes on as one event with the data of both, by `matched`. A first whose second never
came leaves by `missing`, a second that had no first by `unmatched`. With "either", the second may
come before the first; it waits as well then.

The earliest that waits is taken. What meets both conditions is a second where a first waits for
it, else a first; what meets neither is filtered. Events are in order within a partition of their
channel, but not for sure across partitions: give both the same partition key, or take "either".
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import msgspec
from pydantic import Field

from workflows.engine.backlog import BACKLOG, note_backlog, wait_for_backlog
from workflows.engine.derived import MOST_BYTES, STATE_SLACK_SECONDS, derive
from workflows.engine.event import JSON, Event
from workflows.engine.expression import Expression, compile_expression, compile_key
from workflows.engine.fields import ConditionText, KeyText
from workflows.engine.keys import value_key
from workflows.engine.moments import say_seconds
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

_MOST_WAITING = 100  # of one key


_ASKED = {
    "key": "event.data.order",
    "first": "event.data.is == 'placed'",
    "second": "event.data.is == 'paid'",
}
_PLACED, _PAID = {"order": 1, "is": "placed"}, {"order": 1, "is": "paid"}


class Waiting(msgspec.Struct, frozen=True):
    """An event that waits for its other half."""

    arrival: str
    is_first: bool
    at: float
    event_id: str
    size: int  # bytes of the data
    data: JSON = None


class Join(Filter):
    label, icon = "Join", "combine"
    outputs = (
        Port("matched", "Both as one event: data.first and data.second."),
        Port("missing", "A first event whose second did not come in time."),
        Port("unmatched", "A second event that had no first."),
    )
    holds = True

    class Config(NodeConfig):
        key: KeyText = Field(
            description="A CEL expression that gives the same for both events.",
            examples=["event.data.order"],
        )
        first: ConditionText = Field(
            description="A CEL condition that the first event meets.",
            examples=['event.type == "order.placed"'],
        )
        second: ConditionText = Field(
            description="A CEL condition that the second event meets.",
            examples=['event.type == "order.paid"'],
        )
        within_seconds: float = Field(
            default=3_600.0, gt=0, le=2_678_400, description="How long to wait for the other one."
        )
        order: Literal["strict", "either"] = Field(
            default="strict", description="Whether the second may come before the first."
        )
        event_type: str = Field(
            default="joined", min_length=1, max_length=200, description="The type of the joined."
        )

    config: Config
    examples = (
        Example(
            title="Orders and their payments",
            config=_ASKED,
            given=[_PLACED, {"order": 2, "is": "placed"}, _PAID, {"order": 3, "is": "paid"}],
            expect={
                "matched": [{"key": 1, "first": _PLACED, "second": _PAID}],
                "batched": [_PLACED],
                "missing": [{"order": 2, "is": "placed"}],
                "unmatched": [{"order": 3, "is": "paid"}],
            },
        ),
        Example(
            title="In either order",
            config={**_ASKED, "order": "either"},
            given=[_PAID, _PLACED],
            expect={
                "matched": [{"key": 1, "first": _PLACED, "second": _PAID}],
                "batched": [_PAID],
            },
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    @cached_property
    def _conditions(self) -> tuple[Expression, Expression]:
        first, second = self.config.first, self.config.second
        return compile_expression(first, want="bool"), compile_expression(second, want="bool")

    def summary(self) -> str:
        key = self.config.key.replace("event.data.", "")
        return f"by {key}, within {say_seconds(self.config.within_seconds)}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return value_key(self._key.evaluate(ctx.variables(event))), BACKLOG

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        note_backlog(ctx)
        is_first, is_second = (self._meets(one, event, ctx) for one in self._conditions)
        waiting = self._waiting(event, ctx)
        either = self.config.order == "either"
        partner = self._partner(waiting, True, ctx.now) if is_second else None
        if partner is None and is_first and either:
            partner = self._partner(waiting, False, ctx.now)
        if partner is not None:
            yield from self._match(event, ctx, waiting, partner)
        elif is_first or (is_second and either):
            self._keep(event, ctx, [*waiting, self._wait(waiting, event, ctx, is_first)])
            which = "second" if is_first else "first"
            yield Hold(ctx.now + self.config.within_seconds, f"Waits for the {which} event.")
        elif is_second:
            yield "unmatched", event
            yield Filtered("No first event waits for it.")
        else:
            yield Filtered("It is neither a first nor a second event.")

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        waiting = self._waiting(event, ctx)
        mine = next((one for one in waiting if one.arrival == ctx.key), None)
        if mine is None:
            yield Filtered("It was joined with another event.", outcome="batched")
            return
        hold = wait_for_backlog(ctx, mine.at + self.config.within_seconds)
        if hold is not None:
            yield hold
            return
        self._keep(event, ctx, [one for one in waiting if one is not mine])
        yield "missing" if mine.is_first else "unmatched", event
        which = "second" if mine.is_first else "first"
        yield Filtered(f"The {which} event did not come in time.")

    def _meets(self, condition: Expression, event: Event, ctx: Context) -> bool:
        value = condition.evaluate(ctx.variables(event))
        if not isinstance(value, bool):
            raise NodeError("expression", f"This gives neither true nor false: {condition.source}")
        return value

    def _partner(self, waiting: list[Waiting], is_first: bool, now: float) -> Waiting | None:
        """The earliest that waits and may be joined with an event of the moment `now`."""
        within = self.config.within_seconds
        for one in waiting:
            if one.is_first == is_first and abs(now - one.at) < within:
                return one
        return None

    def _match(
        self, event: Event, ctx: Context, waiting: list[Waiting], other: Waiting
    ) -> Iterator[Result]:
        self._keep(event, ctx, [one for one in waiting if one is not other])
        key = self._key.evaluate(ctx.variables(event))
        first, second = (other.data, event.data) if other.is_first else (event.data, other.data)
        data = {"key": key, "first": first, "second": second}
        name = ctx.name("join", other.arrival, ctx.key)
        yield "matched", derive(ctx, name, self.config.event_type, data, at=ctx.now)

    def _wait(self, waiting: list[Waiting], event: Event, ctx: Context, is_first: bool) -> Waiting:
        size = len(msgspec.json.encode(event.data))
        if len(waiting) >= _MOST_WAITING or sum(one.size for one in waiting) + size > MOST_BYTES:
            says = f"For one key, {_MOST_WAITING} events or {MOST_BYTES:,} bytes may wait."
            raise NodeError("limit", says)
        return Waiting(ctx.key, is_first, ctx.now, event.id, size, event.data)

    def _waiting(self, event: Event, ctx: Context) -> list[Waiting]:
        (key, _) = self.state_keys(event, ctx)
        return msgspec.convert(ctx.state.get(key) or [], list[Waiting])

    def _keep(self, event: Event, ctx: Context, waiting: list[Waiting]) -> None:
        (key, _) = self.state_keys(event, ctx)
        if waiting:
            ttl = self.config.within_seconds + STATE_SLACK_SECONDS
            ctx.state.set(key, msgspec.to_builtins(waiting), ttl_seconds=ttl)
        else:
            ctx.state.delete(key)
