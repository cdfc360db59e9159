"""How are the flows of a workspace doing? Lines for the list, with a fixed number of queries."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from workflows.models import Flow
from workflows.storage import figures, traces
from workflows.storage.figures import FlowFigures

MINUTES = 30


class Line(NamedTuple):
    """A flow as the list shows it."""

    flow: Flow
    state: str  # draft, paused or ok
    version: int | None
    published_at: datetime | None
    per_minute: float
    spark: "Spark"
    lag: int
    dead: int
    failing: int  # timers that failed at their last moment


class Spark(NamedTuple):
    """A sparkline as the attributes of SVG shapes, in a box of `WIDTH` by `HEIGHT`."""

    line: str
    area: str
    most: int
    total: int


WIDTH, HEIGHT = 120, 24


def lines(flows: Iterable[Flow], now: float | None = None) -> list[Line]:
    """These flows, in their order."""
    moment, flows = time.time() if now is None else now, list(flows)
    flow_ids = [flow.pk for flow in flows]
    minute = int(moment // 60)
    counts = traces.per_minute(flow_ids, minute - MINUTES + 1)
    how = figures.of_flows(flow_ids)
    return [
        _line(flow, how[flow.pk], _by_minute(counts.get(flow.pk, {}), minute), moment)
        for flow in flows
    ]


def rate(minutes: Sequence[int], seconds: float) -> float:
    """Events in the last sixty seconds, `seconds` of which lie in the minute that is running."""
    return minutes[-1] + minutes[-2] * (60 - seconds) / 60


def sparkline(minutes: Sequence[int]) -> Spark:
    """The shape of some counts, the highest one touching the top."""
    most = max(minutes, default=0)
    step = WIDTH / max(1, len(minutes) - 1)
    scale = (HEIGHT - 3) / most if most else 0.0
    points = [
        f"{round(i * step, 1):g},{round(HEIGHT - 1 - n * scale, 1):g}"
        for i, n in enumerate(minutes)
    ]
    return Spark(
        " ".join(points), f"0,{HEIGHT} {' '.join(points)} {WIDTH},{HEIGHT}", most, sum(minutes)
    )


def _by_minute(counts: dict[int, tuple[int, int]], minute: int) -> list[int]:
    return [counts.get(at, (0, 0))[0] for at in range(minute - MINUTES + 1, minute + 1)]


def _line(flow: Flow, how: FlowFigures, minutes: list[int], moment: float) -> Line:
    published = flow.published
    state = "draft" if published is None else "paused" if flow.paused else "ok"
    return Line(
        flow,
        state,
        published.number if published else None,
        published.created_at if published else None,
        rate(minutes, moment % 60),
        sparkline(minutes),
        how.lag,
        how.dead,
        how.failing,
    )
