"""Take out events that are too old by the time the flow gets to them.

The age is the time from when the event was accepted, or from its own `time`, to the present. It
grows where a flow is behind, and behind other nodes it counts from the moment when they let the
event go. What is too old leaves by the port `expired`, and ends as expired where that isn't wired.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.moments import say_seconds, to_moment
from workflows.engine.node import Context, Example, Filter, Filtered, NodeConfig, Port, Result, Why


class Expire(Filter):
    label, icon = "Expire", "hourglass"
    outputs = (
        Port("fresh", "Events that are young enough."),
        Port("expired", "Events that are too old."),
    )

    class Config(NodeConfig):
        seconds: float = Field(
            default=3_600.0, gt=0, le=31_622_400, description="How old an event may be."
        )
        since: Literal["accepted", "time"] = Field(
            default="accepted", description="Count from its acceptance, or from its own time."
        )

    config: Config
    examples = (
        Example(
            title="Nobody needs an old alarm",
            config={"seconds": 60},
            given=[{"alarm": 1}],
            expect={"fresh": [{"alarm": 1}]},
        ),
        Example(
            title="By the event's own time",
            config={"seconds": 60, "since": "time"},
            given=[{"alarm": 1}],
            expect={"fresh": [{"alarm": 1}]},
        ),
    )

    def summary(self) -> str:
        return f"older than {say_seconds(self.config.seconds)}"

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        since = ctx.now if self.config.since == "accepted" else to_moment(event.time)
        age = max(ctx.wall, ctx.now) - since
        if age <= self.config.seconds:
            yield "fresh", event
            return
        yield Why({"age_seconds": round(age, 3)})
        yield "expired", event
        yield Filtered(f"It is older than {say_seconds(self.config.seconds)}.", outcome="expired")
