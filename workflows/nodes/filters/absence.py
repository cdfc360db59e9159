"""Notice when nothing comes any more.

Every event goes on by `out` at once. When no event of its key came for the quiet time, one event
tells by `absent`: with the `key`, and `since` when and after which event (`last_id`) it is quiet. A
key that was never seen is not missed.

Now and then an event is held besides, to watch over its key; it goes on at once as all others do.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import Field

from workflows.engine.backlog import BACKLOG, note_backlog, wait_for_backlog
from workflows.engine.derived import STATE_SLACK_SECONDS, derive
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
from workflows.engine.plain import rfc3339

_MOST_SILENCES = 1_000  # of one key that are not told yet
_ENDED = Filtered("It has gone on; another event watches over its key.", outcome="passed")


class Absence(Filter):
    label, icon = "Absence", "heart-pulse"
    outputs = (
        Port("out", "Every event, at once."),
        Port("absent", "One event when no other came for the quiet time."),
    )
    holds = True

    class Config(NodeConfig):
        key: KeyText = Field(
            default='"all"',
            description="A CEL expression; each value that it gives is watched by itself.",
            examples=["event.data.device"],
        )
        quiet_seconds: float = Field(
            default=300.0, ge=1, le=2_678_400, description="How long nothing must have come."
        )
        event_type: str = Field(
            default="absent", min_length=1, max_length=200, description="The type of the telling."
        )

    config: Config
    examples = (
        Example(
            title="A device falls silent",
            config={"key": "event.data.device", "quiet_seconds": 60},
            given=[{"device": "pump"}, {"device": "pump"}],
            expect={
                "out": [{"device": "pump"}, {"device": "pump"}],
                "absent": [
                    {"key": "pump", "since": "2023-11-14T22:13:21Z", "last_id": "example-1"}
                ],
            },
        ),
        Example(
            title="No order for an hour",
            config={"quiet_seconds": 3600},
            given=[{"order": 1}],
            expect={
                "out": [{"order": 1}],
                "absent": [{"key": "all", "since": "2023-11-14T22:13:20Z", "last_id": "example-0"}],
            },
        ),
    )

    @cached_property
    def _key(self) -> Expression:
        return compile_key(self.config.key)

    def summary(self) -> str:
        by = "" if self.config.key == '"all"' else f" by {self.config.key}"
        return f"nothing for {say_seconds(self.config.quiet_seconds)}{by}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return value_key(self._key.evaluate(ctx.variables(event))), BACKLOG

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        note_backlog(ctx)
        watch = self._watch(event, ctx)
        quiet = self.config.quiet_seconds
        yield "out", event
        if watch is None or not watch["watcher"]:
            silences = watch["silences"] if watch else []
        elif ctx.now >= watch["at"] + quiet:
            # It was quiet: the watcher tells, as soon as its hold is over.
            silences = [*watch["silences"], [watch["watcher"], watch["at"], watch["last_id"]]]
            if len(silences) > _MOST_SILENCES:
                raise NodeError("limit", f"More than {_MOST_SILENCES:,} silences of one key wait.")
        else:
            at, last_id = max((watch["at"], watch["last_id"]), (ctx.now, event.id))
            watch = {**watch, "at": at, "last_id": last_id}
            if ctx.now - watch["began"] < quiet / 2:
                self._keep(event, ctx, watch)
                return
            silences = watch["silences"]
        watch = {"watcher": ctx.key, "began": ctx.now, "at": ctx.now, "last_id": event.id}
        self._keep(event, ctx, {**watch, "silences": silences})
        yield Hold(ctx.now + quiet, "It has gone on, and watches over its key.")

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        watch = self._watch(event, ctx)
        if watch is None:
            raise NodeError("state", "What is known of its key has expired.")
        for silence in watch["silences"]:
            if silence[0] == ctx.key:
                left = [one for one in watch["silences"] if one is not silence]
                self._keep(event, ctx, {**watch, "silences": left})
                yield from self._tell(event, ctx, silence[1], silence[2])
                return
        due = watch["at"] + self.config.quiet_seconds
        if watch["watcher"] != ctx.key:
            yield _ENDED
        elif due > ctx.now:
            yield Hold(due, "It has gone on, and watches over its key.")
        elif (hold := wait_for_backlog(ctx, due)) is not None:
            yield hold
        else:
            self._keep(event, ctx, {**watch, "watcher": ""})
            yield from self._tell(event, ctx, watch["at"], watch["last_id"])

    def _tell(self, event: Event, ctx: Context, at: float, last_id: str) -> Iterator[Result]:
        key = self._key.evaluate(ctx.variables(event))
        data = {"key": key, "since": rfc3339(at), "last_id": last_id}
        name = ctx.name("absence", value_key(key), rfc3339(at))
        told_at = at + self.config.quiet_seconds
        yield "absent", derive(ctx, name, self.config.event_type, data, at=told_at)
        yield _ENDED

    def _watch(self, event: Event, ctx: Context) -> dict[str, Any] | None:
        """Of its key: who watches since when, the newest event, and the silences to be told."""
        (key, _) = self.state_keys(event, ctx)
        watch: dict[str, Any] | None = ctx.state.get(key)
        return watch

    def _keep(self, event: Event, ctx: Context, watch: dict[str, Any]) -> None:
        (key, _) = self.state_keys(event, ctx)
        ctx.state.set(key, watch, 2 * self.config.quiet_seconds + STATE_SLACK_SECONDS)
