"""What does a frame say? Totals, the rows that changed, and how many it isn't showing."""

from datetime import UTC, datetime
from typing import Any

import orjson

from workflows.storage import cursors, traces
from workflows.storage.traces import TraceRow

ROWS = 60  # in a frame
_QUEUED_ROWS = 20
_CATCH_UP = 500  # changes behind which a reconnecting browser gets a new snapshot
_FINAL = ("passed", "filtered", "deduplicated", "expired", "delivered", "dead")


def snapshot(flow_id: int, since: int) -> tuple[int, bytes]:
    """A first frame for a browser that has seen `since` (0: nothing), and its change number."""
    change = traces.newest_change(flow_id)
    if since and 0 <= change - since <= _CATCH_UP:
        rows, skipped = traces.changed(flow_id, since, change, _CATCH_UP)
    else:
        rows, skipped = traces.newest(flow_id, ROWS)[::-1], 0
        if since:
            skipped = max(0, traces.count_new(flow_id, since, change) - len(rows))
    return change, _frame("snapshot", flow_id, change, rows, skipped)


def update(flow_id: int, since: int) -> tuple[int, bytes]:
    """What has changed after `since`, and up to which number."""
    change = traces.newest_change(flow_id)
    rows, skipped = traces.changed(flow_id, since, change, ROWS)
    return change, _frame("update", flow_id, change, rows, skipped)


def _frame(kind: str, flow_id: int, change: int, rows: list[TraceRow], skipped: int) -> bytes:
    lag = cursors.lag_of_flow(flow_id)
    waiting = traces.queued(flow_id, _QUEUED_ROWS)[::-1] if lag else []
    return orjson.dumps(
        {
            "kind": kind,
            "change": change,
            "totals": totals(flow_id),
            "lag": lag,
            "rows": [row_as_dict(row) for row in (*rows, *waiting)],
            "skipped": skipped,
        }
    )


def totals(flow_id: int) -> dict[str, Any]:
    """`nodes`: counters by node, with `held` for what is parked there; `wires`: by `node:port`."""
    nodes: dict[str, dict[str, int]] = {}
    wires: dict[str, int] = {}
    for node, counts in traces.totals(flow_id).items():
        shown = {name: n for name, n in counts.items() if not name.startswith("out:")}
        shown["held"] = shown.get("arrived", 0) - sum(shown.get(name, 0) for name in _FINAL)
        nodes[node] = shown
        for name, n in counts.items():
            if name.startswith("out:"):
                wires[f"{node}:{name[4:]}"] = n
    return {"nodes": nodes, "wires": wires}


def row_as_dict(row: TraceRow) -> dict[str, Any]:
    """A trace row as browsers and programs get it; times are RFC 3339, `ms` from acceptance."""
    at = datetime.fromtimestamp(row.accepted_at, UTC).isoformat(timespec="milliseconds")
    return {
        "id": str(row.ref),
        "change": row.change,
        "state": row.state,
        "type": row.type,
        "key": row.key,
        "event_id": row.event_id,
        "at": at.replace("+00:00", "Z"),
        "ms": None if row.ended_at is None else round((row.ended_at - row.accepted_at) * 1000, 1),
        "path": row.path,
        "error": row.error or None,
    }
