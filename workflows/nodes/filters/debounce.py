"""Of events that come in a burst, let only one through.

A burst of a key ends when no event came for the quiet time, or when the longest wait is over. With
"last", each event is held for the quiet time, and goes on unless another one of the burst came
meanwhile. With "first", the event that begins a burst goes on at once. The others are set aside.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from workflows.engine.backlog import BACKLOG, note_backlog, wait_for_backlog
from workflows.engine.derived import STATE_SLACK_SECONDS
from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_key
from workflows.engine.fields import KeyText
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

_MOST_WINNERS = 1_000  # bursts of one key that are over, but whose last event is still held
_ASIDE = Filtered("Another event of the same burst goes on.", outcome="deduplicated")


class Debounce(Filter):
    label, icon = "Debounce", "activity"
    outputs = (Port("out", "One event of each burst."),)
    holds = True

    class Config(NodeConfig):
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives has bursts of its own.",
            examples=["event.data.device"],
        )
        quiet_seconds: float = Field(
            default=1.0, gt=0, le=86_400, description="A burst ends when nothing came for this."
        )
        max_wait_seconds: float = Field(
            default=0.0,
            ge=0,
            le=2_592_000,
            description="A burst ends at the latest after this; 0 lets it go on.",
        )
        emit: Literal["last", "first"] = Field(
            default="last", description="Which event of a burst goes on."
        )

    config: Config
    examples = (
        Example(
            title="The last word counts",
            config={"key": "event.data.id", "quiet_seconds": 5},
            given=[{"id": 1, "v": "a"}, {"id": 1, "v": "b"}, {"id": 2, "v": "c"}],
            expect={
                "deduplicated": [{"id": 1, "v": "a"}],
                "out": [{"id": 1, "v": "b"}, {"id": 2, "v": "c"}],
            },
        ),
        Example(
            title="Act at once, then not again until it is quiet",
            config={"quiet_seconds": 5, "emit": "first"},
            given=["on", "off", "on"],
            expect={"out": ["on"], "deduplicated": ["off", "on"]},
        ),
        Example(
            title="But don't wait for ever",
            config={"quiet_seconds": 1.5, "max_wait_seconds": 2},
            given=["a", "b", "c"],
            expect={"deduplicated": ["a"], "out": ["b", "c"]},
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    def summary(self) -> str:
        by = "" if self.config.key == '"all"' else f" by {self.config.key}"
        return f"{self.config.emit} of a burst, {say_seconds(self.config.quiet_seconds)} quiet" + by

    def check(self) -> list[tuple[str, str]]:
        if 0 < self.config.max_wait_seconds < self.config.quiet_seconds:
            return [("max_wait_seconds", "Give at least the quiet time, or 0.")]
        return []

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return value_key(self._key.evaluate(ctx.variables(event))), BACKLOG

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        note_backlog(ctx)
        (key, _) = self.state_keys(event, ctx)
        burst: dict[str, Any] | None = ctx.state.get(key)
        if burst and not burst["newest"] and ctx.now < burst["at"]:
            yield _ASIDE  # it was read after the burst, although it was accepted before its end
            return
        # Partitions are read side by side: an older event counts as if it came with the newest.
        at = max(ctx.now, burst["at"]) if burst else ctx.now
        goes_on = burst is not None and burst["newest"] != "" and at < self._end(burst)
        after = self._after(burst, at, goes_on, ctx)
        self._keep(ctx, key, after)
        if self.config.emit == "last":
            yield Hold(self._end(after), "Waits whether another event comes.")
        elif goes_on:
            yield _ASIDE
        else:
            yield "out", event

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        (key, _) = self.state_keys(event, ctx)
        burst: dict[str, Any] | None = ctx.state.get(key)
        if burst is None:
            raise NodeError("state", "What is known of its burst has expired.")
        if ctx.key in burst["winners"]:
            left = [winner for winner in burst["winners"] if winner != ctx.key]
            self._keep(ctx, key, {**burst, "winners": left})
        elif ctx.key != burst["newest"]:
            yield _ASIDE
            return
        elif (hold := wait_for_backlog(ctx, self._end(burst))) is not None:
            yield hold
            return
        else:
            self._keep(ctx, key, {**burst, "newest": ""})
        yield "out", event

    def _after(
        self, burst: dict[str, Any] | None, at: float, goes_on: bool, ctx: Context
    ) -> dict[str, Any]:
        """What is known once the event has come."""
        begun, winners = at, []
        if burst is not None:
            begun, winners = burst["begun"] if goes_on else at, burst["winners"]
            if self.config.emit == "last" and burst["newest"] and not goes_on:
                if len(winners) >= _MOST_WINNERS:
                    says = f"More than {_MOST_WINNERS:,} bursts of one key are held."
                    raise NodeError("limit", says)
                winners = [*winners, burst["newest"]]
        return {"newest": ctx.key, "at": at, "begun": begun, "winners": winners}

    def _end(self, burst: dict[str, Any]) -> float:
        quiet_at: float = burst["at"] + self.config.quiet_seconds
        longest = self.config.max_wait_seconds
        return min(quiet_at, burst["begun"] + longest) if longest else quiet_at

    def _keep(self, ctx: Context, key: str, burst: dict[str, Any]) -> None:
        wait = self._end(burst) - ctx.now
        ctx.state.set(key, burst, ttl_seconds=max(wait, 0.0) + STATE_SLACK_SECONDS)
