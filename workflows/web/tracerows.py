"""Which traces does a list show? The newest of some flows, filtered, in pages that miss none."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from django.db.models import Q

from workflows.models import Flow, FlowClock, FlowVersion, Trace
from workflows.storage import sql, traces
from workflows.storage.parts import TraceRef
from workflows.storage.traces import TraceRow
from workflows.web.paging import Bounds, Entry, go_on, weave

STATES = ("running", "ok", "filtered", "failed")
SEARCHED = 50_000  # a flow's newest changes that a text filter looks through
_AT_ONCE = 200  # flows in one statement
_QUEUED_FLOWS = 20


class Wanted(NamedTuple):
    """A list's filters. `state` may be "queued" too; `text` is the beginning of a type, or a whole
    key or id."""

    state: str = ""
    text: str = ""


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


class Lines(NamedTuple):
    lines: list[Line]
    older: str  # the cursor of the page after this one; "" when this is the last


def lines(flows: Sequence[Flow], wanted: Wanted, bounds: Bounds, limit: int) -> Lines:
    """The newest traces of these flows, newest first."""
    if not flows:
        return Lines([], "")
    if wanted.state == "queued":
        return Lines(_as_lines(flows, _queued(flows, limit)), "")
    entries: list[Entry] = []
    for start in range(0, len(flows), _AT_ONCE):
        entries += _entries(flows[start : start + _AT_ONCE], wanted, bounds, limit + 1)
    shown, more = weave(entries, limit)
    rows = _rows(shown)
    return Lines(_as_lines(flows, rows), go_on(bounds, shown) if more else "")


def flows_of(workspace_id: int, slug: str = "") -> list[Flow]:
    """The flows of a workspace, or the one of that slug, by name."""
    found = Flow.objects.filter(workspace_id=workspace_id).order_by("name", "id")
    return list(found.filter(slug=slug) if slug else found)


def lags(workspace_id: int) -> dict[int, int]:
    """Flow id -> events that the flow has still to take; absent means none. One query."""
    return {
        flow_id: int(lag)
        for flow_id, lag in sql.fetch(
            "SELECT s.flow_id, SUM(h.head - c.position) FROM workflows_cursor c"
            " JOIN workflows_subscription s ON s.id = c.subscription_id"
            " JOIN workflows_flow f ON f.id = s.flow_id JOIN workflows_head h"
            ' ON h.channel_id = s.channel_id AND h."partition" = c."partition"'
            " WHERE f.workspace_id = %s AND h.head > c.position AND s.state <> 'closed'"
            " AND (c.stop IS NULL OR c.position < c.stop) GROUP BY s.flow_id",
            (workspace_id,),
        )
    }


def node_names(versions: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, str]]:
    """(flow id, version) -> node id -> its name. One query."""
    if not versions:
        return {}
    found = FlowVersion.objects.filter(
        flow_id__in={flow_id for flow_id, _ in versions},
        number__in={number for _, number in versions},
    )
    return {
        (flow_id, number): {
            str(node.get("id")): str(node.get("name") or node.get("id"))
            for node in document.get("nodes", [])
        }
        for flow_id, number, document in found.values_list("flow_id", "number", "document")
        if (flow_id, number) in versions
    }


def _entries(flows: Sequence[Flow], wanted: Wanted, bounds: Bounds, limit: int) -> list[Entry]:
    clocks = dict(
        FlowClock.objects.filter(flow__in=flows).values_list("flow_id", "change")
        if wanted.text
        else ()
    )
    pieces: list[str] = []
    params: list[object] = []
    for flow in flows:
        where = "flow_id = %s"
        params.append(flow.pk)
        if flow.pk in bounds:
            where += " AND number < %s"
            params.append(bounds[flow.pk])
        if wanted.state in STATES:
            where += f" AND state = '{wanted.state}'"
        if wanted.text:
            where += " AND number > %s AND (substr(type, 1, %s) = %s OR key = %s OR event_id = %s)"
            oldest = clocks.get(flow.pk, 0) - SEARCHED
            params += [oldest, len(wanted.text), *[wanted.text] * 3]
        pieces.append(
            f"SELECT * FROM (SELECT flow_id, number, taken_at FROM workflows_trace WHERE {where}"
            " ORDER BY number DESC LIMIT %s) AS newest"
        )
        params.append(limit)
    return [Entry(*row) for row in sql.fetch(" UNION ALL ".join(pieces), params)]


def _rows(shown: Sequence[Entry]) -> list[TraceRow]:
    """The traces of these entries, in their order. One query."""
    if not shown:
        return []
    numbers: dict[int, list[int]] = {}
    for entry in shown:
        numbers.setdefault(entry.stream, []).append(entry.number)
    wanted = Q()
    for flow_id, some in numbers.items():
        wanted |= Q(flow_id=flow_id, number__in=some)
    found = {(one.flow_id, one.number): one for one in Trace.objects.filter(wanted)}
    return [_row(found[entry[:2]]) for entry in shown if entry[:2] in found]


def _row(trace: Trace) -> TraceRow:
    steps = orjson.loads(bytes(trace.steps))["steps"]
    return TraceRow(
        TraceRef(trace.subscription_id, trace.partition, trace.offset, trace.run),
        trace.flow_id,
        trace.number,
        trace.number,
        trace.state,
        trace.type,
        trace.key,
        trace.event_id,
        trace.accepted_at,
        trace.taken_at,
        trace.ended_at,
        trace.error,
        trace.version,
        tuple(dict.fromkeys(step["n"] for step in steps)),
    )


def _queued(flows: Sequence[Flow], limit: int) -> list[TraceRow]:
    behind = lags(flows[0].workspace_id)
    lagging = [flow for flow in flows if behind.get(flow.pk)][:_QUEUED_FLOWS]
    rows = [row for flow in lagging for row in traces.queued(flow.pk, limit)]
    rows.sort(key=lambda row: row.accepted_at, reverse=True)
    return rows[:limit]


def _as_lines(flows: Sequence[Flow], rows: Sequence[TraceRow]) -> list[Line]:
    by_id = {flow.pk: flow for flow in flows}
    names = node_names({(row.flow_id, row.version) for row in rows if row.version})
    longest = max((_ms(row) or 0.0 for row in rows), default=0.0)
    return [
        Line(
            ref=str(row.ref),
            flow=by_id[row.flow_id],
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
        )
        for row in rows
    ]


def _ms(row: TraceRow) -> float | None:
    return None if row.ended_at is None else (row.ended_at - row.accepted_at) * 1000
