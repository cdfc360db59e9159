"""How does a list show traces? One line each, their durations on a shared scale."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from workflows.models import Flow
from workflows.storage import tracepages, versions
from workflows.storage.pages import Bounds, Place
from workflows.storage.tracepages import Wanted
from workflows.storage.traces import TraceRow
from workflows.web.paging import write_bounds


class Line(NamedTuple):
    """A trace as a list shows it."""

    ref: str
    flow: Flow
    state: str
    type: str
    key: str
    event_id: str
    at: datetime
    ms: float | None
    share: float  # of the longest duration in the list, in percent
    path: tuple[tuple[str, str], ...]  # node id and name
    error: str
    run: str  # what kind of run, unless it is a live one


class Lines(NamedTuple):
    lines: list[Line]
    older: str  # the cursor of the page after this one; "" when this is the last
    since: datetime | None  # back to when it looked, where it didn't look until it was full


def lines(flows: Sequence[Flow], wanted: Wanted, bounds: Bounds, limit: int) -> Lines:
    """The newest traces of these flows below the bounds, newest first."""
    by_id = {flow.pk: flow for flow in flows}
    rows, around = tracepages.page(list(by_id), wanted, Place(bounds), limit)
    is_short = around.last is not None and len(rows) < limit
    since = tracepages.looked_back_to(around.last or {}) if is_short else None
    moment = None if since is None else datetime.fromtimestamp(since, UTC)
    return Lines(_as_lines(by_id, rows), write_bounds(around.last or {}), moment)


def _as_lines(flows: dict[int, Flow], rows: Sequence[TraceRow]) -> list[Line]:
    names = versions.node_names({(row.flow_id, row.version) for row in rows if row.version})
    longest = max((_ms(row) or 0.0 for row in rows), default=0.0)
    return [
        Line(
            ref=str(row.ref),
            flow=flows[row.flow_id],
            state=row.state,
            type=row.type,
            key=row.key,
            event_id=row.event_id,
            at=datetime.fromtimestamp(row.accepted_at, UTC),
            ms=_ms(row),
            share=round(100 * (_ms(row) or 0.0) / longest, 1) if longest else 0.0,
            path=tuple(
                (node, names.get((row.flow_id, row.version), {}).get(node, node))
                for node in row.path
            ),
            error=row.error,
            run=row.ref.word if row.ref.run else "",
        )
        for row in rows
    ]


def _ms(row: TraceRow) -> float | None:
    return None if row.ended_at is None else (row.ended_at - row.begun_at) * 1000
