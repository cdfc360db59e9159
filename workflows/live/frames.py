"""What does a frame say? Totals, the rows that changed, and how many it isn't showing."""

import orjson

from workflows.storage import cursors, tracepages, traces
from workflows.storage.traces import TraceRow
from workflows.traces.rows import row_as_dict, totals

ROWS = 60  # in a frame
_QUEUED_ROWS = 20
_CATCH_UP = 500  # changes behind which a reconnecting browser gets a new snapshot


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
    waiting = tracepages.queued([flow_id], _QUEUED_ROWS)[::-1] if lag else []
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
