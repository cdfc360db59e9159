"""What is known of a trace: its row, its changes for live views, and all that it left behind."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from workflows.storage import sql
from workflows.storage.parts import TraceRef
from workflows.storage.runs import FIRST_SHADOW

COLUMNS = (
    't.subscription_id, t."partition", t."offset", t.run, t.flow_id, t.number, t.state, t.type,'
    " t.key, t.event_id, t.accepted_at, t.taken_at, t.ended_at, t.error, t.version, t.steps"
)
# That event `e` waits for subscription `s`, whose cursor is `c`.
WAITS = (
    'c.position <= e."offset" AND (c.stop IS NULL OR e."offset" < c.stop) AND s.state <> \'closed\''
)
_SEGMENTS = 20  # of a trace that its path is made of


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

    @property
    def begun_at(self) -> float:
        """From when on its time counts: a run that isn't the first one began when it was taken."""
        return self.taken_at if self.ref.run and self.taken_at is not None else self.accepted_at


def parse_ref(text: str) -> TraceRef | None:
    """`12-3-4711` or `12-3-4711-1` as a TraceRef; None when it isn't one."""
    parts = text.split("-")
    if not 3 <= len(parts) <= 4 or not all(p.isascii() and p.isdigit() for p in parts):
        return None
    numbers = [int(part) for part in parts]
    return TraceRef(*numbers) if max(numbers) < 2**63 else None


def row_of(raw: sql.Row) -> TraceRow:
    """What `COLUMNS` selected; the path has the nodes of the first commit only."""
    told = (*raw[4:6], *raw[5:15], _nodes(raw[15]))  # the number twice: it is the change so far
    return TraceRow(TraceRef(*raw[:4]), *told)


def queued_row(ref: TraceRef, raw: sql.Row) -> TraceRow:
    """An event that a flow has still to take: flow id, event id, type, key and accept time."""
    flow_id, event_id, kind, key, accepted_at = raw
    return TraceRow(
        ref, flow_id, 0, 0, "queued", kind, key, event_id, accepted_at, None, None, "", 0, ()
    )


def _nodes(steps: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step["n"] for step in orjson.loads(bytes(steps))["steps"]))


def with_paths(rows: Sequence[TraceRow]) -> list[TraceRow]:
    """The same rows, their paths going on through what later commits reached (up to a bound)."""
    later: dict[TraceRef, list[tuple[str, ...]]] = {}
    taken = [row.ref for row in rows if row.state != "queued"]
    piece = (
        'SELECT * FROM (SELECT subscription_id, "partition", "offset", run, change, steps'
        ' FROM workflows_segment WHERE subscription_id = %s AND "partition" = %s'
        f' AND "offset" = %s AND run = %s ORDER BY change LIMIT {_SEGMENTS}) AS earliest'
    )
    for *ref, _, steps in sorted(sql.fetch_each(piece, taken), key=itemgetter(4)):
        later.setdefault(TraceRef(*ref), []).append(_nodes(steps))
    return [row._replace(path=_joined(row.path, later.get(row.ref, ()))) for row in rows]


def _joined(path: tuple[str, ...], later: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*path, *(node for nodes in later for node in nodes))))


def newest_change(flow_id: int) -> int:
    """The flow's newest change number: all rows up to it can be read."""
    rows = sql.fetch("SELECT change FROM workflows_flowclock WHERE flow_id = %s", (flow_id,))
    return int(rows[0][0]) if rows else 0


def changed(flow_id: int, since: int, until: int, limit: int) -> tuple[list[TraceRow], int]:
    """The newest `limit` traces that changed after `since`, up to `until`, in order of change;
    and how many changes aren't among them. Those of shadow runs happened to nobody: left out."""
    fresh = sql.fetch(
        f"SELECT {COLUMNS} FROM workflows_trace t WHERE t.flow_id = %s AND t.number > %s"
        f" AND t.number <= %s AND t.run < {FIRST_SHADOW} ORDER BY t.number DESC LIMIT %s",
        (flow_id, since, until, limit),
    )
    rows = {row.ref: row for row in map(row_of, fresh)}
    later = sql.fetch(
        f"SELECT {COLUMNS}, s.change FROM workflows_segment s JOIN workflows_trace t"
        ' ON t.subscription_id = s.subscription_id AND t."partition" = s."partition"'
        ' AND t."offset" = s."offset" AND t.run = s.run'
        f" WHERE s.flow_id = %s AND s.change > %s AND s.change <= %s AND s.run < {FIRST_SHADOW}"
        " ORDER BY s.change DESC LIMIT %s",
        (flow_id, since, until, limit),
    )
    for raw in reversed(later):
        row = row_of(raw)._replace(change=raw[16])
        rows[row.ref] = row
    ordered = sorted(rows.values(), key=lambda row: row.change)[-limit:]
    skipped = 0
    if len(fresh) == limit or len(later) == limit:
        skipped = max(0, count_new(flow_id, since, until) - sum(r.number > since for r in ordered))
    whole = {row.ref: row for row in with_paths([r for r in ordered if r.change > r.number])}
    return [whole.get(row.ref, row) for row in ordered], skipped


def count_new(flow_id: int, since: int, until: int) -> int:
    """How many traces began after change `since`, up to `until`."""
    rows = sql.fetch(
        "SELECT COUNT(*) FROM workflows_trace WHERE flow_id = %s AND number > %s AND number <= %s"
        f" AND run < {FIRST_SHADOW}",
        (flow_id, since, until),
    )
    return int(rows[0][0])


def newest(flow_id: int, limit: int) -> list[TraceRow]:
    """The newest traces of a flow, newest first."""
    rows = sql.fetch(
        f"SELECT {COLUMNS} FROM workflows_trace t WHERE t.flow_id = %s"
        f" AND t.run < {FIRST_SHADOW} ORDER BY t.number DESC LIMIT %s",
        (flow_id, limit),
    )
    return with_paths([row_of(raw) for raw in rows])


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
        f"SELECT {COLUMNS} FROM workflows_trace t WHERE t.subscription_id = %s"
        ' AND t."partition" = %s AND t."offset" = %s AND t.run = %s',
        tuple(ref),
    )
    if rows:
        return with_paths([row_of(rows[0])])[0]
    if ref.run:
        return None
    rows = sql.fetch(
        "SELECT s.flow_id, e.event_id, e.type, e.key, e.accepted_at FROM workflows_event e"
        " JOIN workflows_subscription s ON s.channel_id = e.channel_id"
        " JOIN workflows_cursor c ON c.subscription_id = s.id"
        f' AND c."partition" = e."partition" AND {WAITS}'
        ' WHERE s.id = %s AND e."partition" = %s AND e."offset" = %s',
        (ref.subscription_id, ref.partition, ref.offset),
    )
    return queued_row(ref, rows[0]) if rows else None


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


def redrive_of(segments: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What a trace says of the redrive that began it: `letter`, `redrive`, `by` and `edited`; None
    for any other trace."""
    return segments[0].get("redrive") if segments else None


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
