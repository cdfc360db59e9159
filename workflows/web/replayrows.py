"""How do pages show a replay? How far it is, what came of it, and what ended otherwise."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from workflows.models import Difference, Replay
from workflows.storage import comparisons, replaycounts, runs, traces, versions
from workflows.storage.comparisons import Group
from workflows.storage.parts import TraceRef
from workflows.traces.compare import Row, table
from workflows.web.jsonview import Line, compare

_VERDICTS = (
    ("same", "ok", "circle-check", "as live"),
    ("content", "held", "pencil", "the same end, other content"),
    ("different", "failed", "diff", "end differently"),
    ("new", "filtered", "circle-dashed", "without a live run"),
    ("open", "running", "hourglass", "not ended, here or live"),
)
_STATES = (
    ("ok", "ok", "circle-check", "done"),
    ("filtered", "filtered", "circle-slash", "filtered"),
    ("failed", "failed", "circle-x", "failed"),
    ("running", "running", "loader", "running"),
)


class Figure(NamedTuple):
    """How many events came out like this; `x` and `width` are its piece of the bar."""

    name: str
    state: str
    icon: str
    word: str
    n: int
    x: float
    width: float


class ReplayLine(NamedTuple):
    """A replay as a list shows it."""

    row: Replay
    version: str
    begun_at: datetime
    ended_at: datetime | None
    figures: list[Figure]
    percent: int
    is_shadow: bool
    assumed: int


class Alike(NamedTuple):
    """A group of differences, its node by name."""

    group: Group
    node: str


class Side(NamedTuple):
    """One node in the comparison of an event's two runs."""

    name: str
    row: Row
    changes: list[Line]


def line(replay: Replay) -> ReplayLine:
    number = replay.version.number
    is_shadow = replay.mode == Replay.Mode.SHADOW
    counts = comparisons.counts(replay) if is_shadow else replaycounts.states(replay)
    total = max(replay.total, replay.done)
    return ReplayLine(
        row=replay,
        version="the draft" if number >= runs.FIRST_TRIAL else f"version {number}",
        begun_at=datetime.fromtimestamp(replay.created_at, UTC),
        ended_at=None if replay.ended_at is None else datetime.fromtimestamp(replay.ended_at, UTC),
        figures=_figures(counts, _VERDICTS if is_shadow else _STATES, total),
        percent=100 * replay.done // total if total else 100,
        is_shadow=is_shadow,
        assumed=counts.get("assumed", 0),
    )


def _figures(
    counts: Mapping[str, int], kinds: tuple[tuple[str, str, str, str], ...], total: int
) -> list[Figure]:
    out: list[Figure] = []
    x = 0.0
    for name, state, icon, word in kinds:
        if n := counts.get(name, 0):
            width = 100 * n / max(total, 1)
            out.append(Figure(name, state, icon, word, n, round(x, 2), round(width, 2)))
            x += width
    return out


def alike(replay: Replay) -> list[Alike]:
    """The groups of a shadow run's differences."""
    names = _names(replay)
    return [Alike(group, names.get(group.node, group.node)) for group in comparisons.groups(replay)]


def named(replay: Replay, rows: Sequence[Difference]) -> list[tuple[Difference, str]]:
    """The events of a page, each with the name of the node where its runs first differ."""
    names = _names(replay)
    return [(row, names.get(row.node, row.node)) for row in rows]


def sides(replay: Replay, difference: Difference) -> list[Side]:
    """Both runs of an event, node by node; empty when retention has taken one of them."""
    names = _names(replay)
    refs = [traces.parse_ref(text) for text in (difference.live_trace, difference.trace)]
    steps = [_steps(ref) for ref in refs if ref]
    if len(steps) < 2 or not all(steps):
        return []
    order = list(dict.fromkeys(step["n"] for step in (*steps[1], *steps[0])))
    return [
        Side(
            names.get(row.node, row.node),
            row,
            compare(*row.made) if row.differs and None not in row.made else [],
        )
        for row in table(steps[0], steps[1], order)
    ]


def _steps(ref: TraceRef) -> list[dict[str, Any]]:
    return [step for segment in traces.segments(ref) for step in segment["steps"]]


def _names(replay: Replay) -> dict[str, str]:
    """Node id -> name, in the published version and in the one that the replay runs."""
    known = {(replay.flow_id, replay.version.number)}
    if replay.flow.published is not None:
        known.add((replay.flow_id, replay.flow.published.number))
    out: dict[str, str] = {}
    for names in versions.node_names(known).values():
        out |= names
    return out
