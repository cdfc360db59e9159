"""What is known of the traces of a flow: rows for lists and live views, and one trace whole."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.storage import sql
from workflows.storage.parts import TraceRef

_COLUMNS = (
    't.subscription_id, t."partition", t."offset", t.run, t.flow_id, t.number, t.state, t.type,'
    " t.key, t.event_id, t.accepted_at, t.taken_at, t.ended_at, t.error, t.version, t.steps"
)


class TraceRow(NamedTuple):
    """A trace as a list shows it. `change` grows whenever it changes; 0 while it is queued."""

    ref: TraceRef
    flow_id: int
    number: int
    change: int
    state: str  # queued, running, ok, filtered, failed
    type: str
    key: str
    event_id: str
    accepted_at: float
    taken_at: float | None
    ended_at: float | None
    error: str
    version: int
    path: tuple[str, ...]  # node ids, in the order they were reached


def parse_ref(text: str) -> TraceRef | None:
    """`12-3-4711` or `12-3-4711-1` as a TraceRef; None when it isn't one."""
    parts = text.split("-")
    if not 3 <= len(parts) <= 4 or not all(p.isascii() and p.isdigit() for p in parts):
        return None
    numbers = [int(part) for part in parts]
    return TraceRef(*numbers) if max(numbers) < 2**63 else None


def _row(raw: sql.Row, change: int | None = None) -> TraceRow:
    ref = TraceRef(*raw[:4])
    (flow_id, number, state, kind, key, event_id, accepted_at, taken_at, ended_at, error) = raw[
        4:14
    ]
    path = tuple(dict.fromkeys(step["n"] for step in orjson.loads(bytes(raw[15]))["steps"]))
    return TraceRow(
        ref,
        flow_id,
        number,
        number if change is None else change,
        state,
        kind,
        key,
        event_id,
        accepted_at,
        taken_at,
        ended_at,
        error,
        raw[14],
        path,
    )


def newest_change(flow_id: int) -> int:
    """The flow's newest change number: all rows up to it can be read."""
    rows = sql.fetch("SELECT change FROM workflows_flowclock WHERE flow_id = %s", (flow_id,))
    return int(rows[0][0]) if rows else 0


def changed(flow_id: int, since: int, until: int, limit: int) -> tuple[list[TraceRow], int]:
    """The newest `limit` traces that changed after `since`, up to `until`, in order of change;
    and how many changes aren't among them."""
    rows: dict[TraceRef, TraceRow] = {}
    fresh = sql.fetch(
        f"SELECT {_COLUMNS} FROM workflows_trace t WHERE t.flow_id = %s AND t.number > %s"
        " AND t.number <= %s ORDER BY t.number DESC LIMIT %s",
        (flow_id, since, until, limit),
    )
    for raw in fresh:
        row = _row(raw)
        rows[row.ref] = row
    later = sql.fetch(
        f"SELECT {_COLUMNS}, s.change, s.steps FROM workflows_segment s JOIN workflows_trace t"
        ' ON t.subscription_id = s.subscription_id AND t."partition" = s."partition"'
        ' AND t."offset" = s."offset" AND t.run = s.run'
        " WHERE s.flow_id = %s AND s.change > %s AND s.change <= %s"
        " ORDER BY s.change DESC LIMIT %s",
        (flow_id, since, until, limit),
    )
    for raw in later:
        row = _row(raw, change=raw[16])
        known = rows.get(row.ref)
        if known is None or known.change < row.change:
            rows[row.ref] = row._replace(path=_longer(row.path, raw[17]))
    ordered = sorted(rows.values(), key=lambda row: row.change)[-limit:]
    skipped = 0
    if len(fresh) == limit or len(later) == limit:
        skipped = max(0, count_new(flow_id, since, until) - sum(r.number > since for r in ordered))
    return ordered, skipped


def _longer(path: tuple[str, ...], steps: Any) -> tuple[str, ...]:
    more = (step["n"] for step in orjson.loads(bytes(steps))["steps"])
    return tuple(dict.fromkeys((*path, *more)))


def count_new(flow_id: int, since: int, until: int) -> int:
    """How many traces began after change `since`, up to `until`."""
    rows = sql.fetch(
        "SELECT COUNT(*) FROM workflows_trace WHERE flow_id = %s AND number > %s AND number <= %s",
        (flow_id, since, until),
    )
    return int(rows[0][0])


def newest(
    flow_id: int, limit: int, before: int | None = None, state: str | None = None
) -> list[TraceRow]:
    """The newest traces of a flow (with a number below `before`), newest first."""
    where, params = "t.flow_id = %s", [flow_id]
    if before is not None:
        where += " AND t.number < %s"
        params.append(before)
    if state is not None:
        where += f" AND t.state = '{state}'" if state in _STATES else " AND 1 = 0"
    return [
        _row(raw)
        for raw in sql.fetch(
            f"SELECT {_COLUMNS} FROM workflows_trace t WHERE {where}"
            " ORDER BY t.number DESC LIMIT %s",
            (*params, limit),
        )
    ]


_STATES = ("running", "ok", "filtered", "failed")


def newest_of_flows(
    flow_ids: Sequence[int],
    limit: int,
    before: float | None = None,
    state: str | None = None,
) -> list[TraceRow]:
    """The newest traces of several flows by the time they were taken, newest first.

    `before` is the `taken_at` that the page before ended with.
    """
    out: list[TraceRow] = []
    for flow_id in flow_ids:
        where, params = "t.flow_id = %s", [flow_id]
        if before is not None:
            where += " AND t.taken_at < %s"
            params.append(before)  # type: ignore[arg-type]
        if state is not None:
            where += f" AND t.state = '{state}'" if state in _STATES else " AND 1 = 0"
        out += [
            _row(raw)
            for raw in sql.fetch(
                f"SELECT {_COLUMNS} FROM workflows_trace t WHERE {where}"
                " ORDER BY t.number DESC LIMIT %s",
                (*params, limit),
            )
        ]
    out.sort(key=lambda row: row.taken_at or 0.0, reverse=True)
    return out[:limit]


def numbered(numbers: Mapping[int, Sequence[int]]) -> dict[tuple[int, int], TraceRow]:
    """The traces of these numbers (flow -> numbers), by flow and number. One query."""
    if not numbers:
        return {}
    pieces: list[str] = []
    params: list[int] = []
    for flow_id, some in numbers.items():
        pieces.append(f"(t.flow_id = %s AND t.number IN ({', '.join(['%s'] * len(some))}))")
        params += [flow_id, *some]
    rows = sql.fetch(
        f"SELECT {_COLUMNS} FROM workflows_trace t WHERE {' OR '.join(pieces)}", params
    )
    return {(row.flow_id, row.number): row for row in map(_row, rows)}


def queued(flow_id: int, limit: int) -> list[TraceRow]:
    """The newest events that the flow has still to take, as traces to be; newest first."""
    out: list[TraceRow] = []
    for subscription_id, channel_id, partition, position, head in sql.fetch(
        'SELECT c.subscription_id, s.channel_id, c."partition", c.position, h.head'
        " FROM workflows_cursor c JOIN workflows_subscription s ON s.id = c.subscription_id"
        ' JOIN workflows_head h ON h.channel_id = s.channel_id AND h."partition" = c."partition"'
        " WHERE s.flow_id = %s AND s.state <> 'closed' AND h.head > c.position"
        " AND (c.stop IS NULL OR c.position < c.stop)",
        (flow_id,),
    ):
        for offset, event_id, kind, key, accepted_at in sql.fetch(
            'SELECT "offset", event_id, type, key, accepted_at FROM workflows_event'
            ' WHERE channel_id = %s AND "partition" = %s AND "offset" >= %s AND "offset" < %s'
            ' ORDER BY "offset" DESC LIMIT %s',
            (channel_id, partition, position, head, limit),
        ):
            ref = TraceRef(subscription_id, partition, offset)
            out.append(_queued(ref, flow_id, event_id, kind, key, accepted_at))
    out.sort(key=lambda row: row.accepted_at, reverse=True)
    return out[:limit]


def _queued(
    ref: TraceRef, flow_id: int, event_id: str, kind: str, key: str, accepted_at: float
) -> TraceRow:
    return TraceRow(
        ref, flow_id, 0, 0, "queued", kind, key, event_id, accepted_at, None, None, "", 0, ()
    )


def totals(flow_id: int) -> dict[str, dict[str, int]]:
    """Counters of every node since the flow exists: node -> name -> count, all partitions."""
    out: dict[str, dict[str, int]] = {}
    for node, name, n in sql.fetch(
        "SELECT node, name, SUM(n) FROM workflows_counter WHERE flow_id = %s GROUP BY node, name",
        (flow_id,),
    ):
        out.setdefault(node, {})[name] = int(n)
    return out


def find(ref: TraceRef) -> TraceRow | None:
    """One trace, queued ones included; None when there is none (any more)."""
    rows = sql.fetch(
        f"SELECT {_COLUMNS} FROM workflows_trace t WHERE t.subscription_id = %s"
        ' AND t."partition" = %s AND t."offset" = %s AND t.run = %s',
        tuple(ref),
    )
    if rows:
        return _row(rows[0])
    if ref.run:
        return None
    rows = sql.fetch(
        "SELECT s.flow_id, e.event_id, e.type, e.key, e.accepted_at FROM workflows_event e"
        " JOIN workflows_subscription s ON s.channel_id = e.channel_id"
        " JOIN workflows_cursor c ON c.subscription_id = s.id"
        ' AND c."partition" = e."partition" AND c.position <= e."offset"'
        ' WHERE s.id = %s AND e."partition" = %s AND e."offset" = %s',
        (ref.subscription_id, ref.partition, ref.offset),
    )
    return _queued(ref, *rows[0]) if rows else None


def segments(ref: TraceRef) -> list[dict[str, Any]]:
    """What the commits of a trace left, in order: each `{"at": …, "steps": […]}`."""
    first = sql.fetch(
        "SELECT steps FROM workflows_trace WHERE subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s AND run = %s',
        tuple(ref),
    )
    later = sql.fetch(
        "SELECT steps FROM workflows_segment WHERE subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s AND run = %s ORDER BY change',
        tuple(ref),
    )
    return [orjson.loads(bytes(row[0])) for row in (*first, *later)]


def of_event(channel_id: int, partition: int, offset: int) -> list[TraceRef]:
    """The traces that an event has or will have: one for each subscription of its channel."""
    return [
        TraceRef(*row)
        for row in sql.fetch(
            'SELECT t.subscription_id, t."partition", t."offset", t.run FROM workflows_trace t'
            " JOIN workflows_subscription s ON s.id = t.subscription_id"
            ' WHERE s.channel_id = %s AND t."partition" = %s AND t."offset" = %s'
            ' UNION SELECT s.id, c."partition", %s, 0 FROM workflows_cursor c'
            " JOIN workflows_subscription s ON s.id = c.subscription_id"
            ' WHERE s.channel_id = %s AND c."partition" = %s AND c.position <= %s'
            " AND s.state <> 'closed' ORDER BY 1, 4",
            (channel_id, partition, offset, offset, channel_id, partition, offset),
        )
    ]


def per_minute(flow_ids: Sequence[int], since: int) -> dict[int, dict[int, tuple[int, int]]]:
    """flow -> minute -> (events, dead), from minute `since` on."""
    if not flow_ids:
        return {}
    marks = ", ".join(["%s"] * len(flow_ids))
    out: dict[int, dict[int, tuple[int, int]]] = {}
    for flow_id, minute, events, dead in sql.fetch(
        "SELECT flow_id, minute, events, dead FROM workflows_minute"
        f" WHERE minute >= %s AND flow_id IN ({marks})",
        (since, *flow_ids),
    ):
        out.setdefault(flow_id, {})[minute] = (events, dead)
    return out
