"""Which traces does a program's list show? The newest of some flows, filtered, page by page."""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import cursors, sql, traces
from workflows.storage.pages import Cut, Entry, Place, Span, Stream, cut, spans
from workflows.storage.traces import TraceRow

STATES = ("running", "ok", "filtered", "failed")
_INDEXED = ("running", "failed")
_SEARCHED = 50_000  # numbers of a flow that one page of a filtered list looks through
_AT_ONCE = 100  # flows in one statement


class Wanted(NamedTuple):
    """A list's filters; "" leaves a field open."""

    state: str = ""
    type: str = ""
    key: str = ""


def page(
    flow_ids: Sequence[int], wanted: Wanted, place: Place, limit: int
) -> tuple[list[TraceRow], Cut]:
    """The traces of one page, newest first, and what lies around it."""
    scans = bool(wanted.type or wanted.key) or wanted.state not in ("", *_INDEXED)
    looked = spans(_streams(flow_ids), place, _SEARCHED if scans else None)
    entries: list[Entry] = []
    for start in range(0, len(looked), _AT_ONCE):
        entries += _entries(looked[start : start + _AT_ONCE], wanted, place.newer, limit + 1)
    found = cut(entries, looked, place, limit)
    numbers: dict[int, list[int]] = {}
    for entry in found.shown:
        numbers.setdefault(int(entry.stream), []).append(entry.number)
    rows = traces.numbered(numbers)
    at = [(int(entry.stream), entry.number) for entry in found.shown]
    return [rows[where] for where in at if where in rows], found


def of_event(flow_ids: Sequence[int], event_id: str, limit: int) -> list[TraceRow]:
    """The traces of the events with that id, queued ones included, newest first."""
    if not flow_ids:
        return []
    marks = ", ".join(["%s"] * len(flow_ids))
    places = sql.fetch(
        'SELECT e.channel_id, e."partition", e."offset" FROM workflows_event e'
        " WHERE e.event_id = %s AND e.channel_id IN (SELECT channel_id FROM workflows_subscription"
        f" WHERE flow_id IN ({marks})) ORDER BY e.accepted_at DESC LIMIT %s",
        (event_id, *flow_ids, limit),
    )
    refs = [ref for place in places for ref in traces.of_event(*place)]
    rows = [row for ref in refs if (row := traces.find(ref)) is not None]
    return [row for row in rows if row.flow_id in set(flow_ids)][:limit]


def waiting(flow_ids: Sequence[int], limit: int) -> list[TraceRow]:
    """The newest events that these flows have still to take, newest first."""
    rows = [
        row
        for flow_id in flow_ids
        if cursors.lag_of_flow(flow_id)
        for row in traces.queued(flow_id, limit)
    ]
    rows.sort(key=lambda row: row.accepted_at, reverse=True)
    return rows[:limit]


def _streams(flow_ids: Sequence[int]) -> list[Stream]:
    if not flow_ids:
        return []
    marks = ", ".join(["%s"] * len(flow_ids))
    return [
        Stream(str(flow_id), tail, change + 1)
        for flow_id, change, tail in sql.fetch(
            "SELECT c.flow_id, c.change, (SELECT MIN(t.number) FROM workflows_trace t"
            " WHERE t.flow_id = c.flow_id) FROM workflows_flowclock c"
            f" WHERE c.flow_id IN ({marks})",
            flow_ids,
        )
        if tail is not None
    ]


def _entries(looked: Sequence[Span], wanted: Wanted, newer: bool, limit: int) -> list[Entry]:
    where = "flow_id = %s AND number >= %s AND number < %s"
    more: list[object] = []
    for column, value in wanted._asdict().items():
        if value:
            where += f" AND {column} = %s"
            more.append(value)
    if wanted.state in _INDEXED:
        where += " AND state IN ('running', 'failed')"  # so that SQLite sees that its index fits
    order = "ASC" if newer else "DESC"
    piece = (
        f"SELECT * FROM (SELECT flow_id, number, taken_at FROM workflows_trace WHERE {where}"
        f" ORDER BY number {order} LIMIT %s) AS nearest"
    )
    params = [
        value
        for span in looked
        for value in (int(span.stream.key), span.low, span.high, *more, limit)
    ]
    rows = sql.fetch(" UNION ALL ".join([piece] * len(looked)), params)
    return [Entry(str(flow_id), number, taken_at) for flow_id, number, taken_at in rows]
