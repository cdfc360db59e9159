"""Keep each event for a while, then let it go on.

The time counts from the moment the event was accepted; behind another delay, from the moment that
one let it go; behind a request, from the moment of the answer. A restart loses no event on hold.
"""

from collections.abc import Iterator

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.node import Context, Example, Filter, Hold, NodeConfig, Port, Result

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Delay(Filter):
    label, icon = "Delay", "timer"
    outputs = (Port("out", "The event, when its time has come."),)
    holds = True
    can_fail = False

    class Config(NodeConfig):
        seconds: float = Field(
            gt=0, le=2_592_000, description="How long to keep each event: at most 30 days."
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
    )

    def summary(self) -> str:
        return _duration(self.config.seconds)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield Hold(ctx.now + self.config.seconds, f"Delayed for {_duration(self.config.seconds)}.")

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield "out", event


def _duration(seconds: float) -> str:
    """Exact, in the largest unit that fits: 5400 is "90 min"."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
