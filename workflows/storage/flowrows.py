"""Which flows are there, and how are they doing? Rows for lists, never more than asked for."""

import time
from typing import NamedTuple

from workflows.models import Flow
from workflows.storage import cursors, sql, traces


class FlowRow(NamedTuple):
    """A flow as the list shows it. `minutes`: events in each of the last minutes, oldest first."""

    flow: Flow
    lag: int
    per_minute: float
    minutes: list[int]
    dead_open: int


_MINUTES = 30


def flow_id_of(workspace_id: int, slug: str) -> int | None:
    rows = sql.fetch(
        "SELECT id FROM workflows_flow WHERE workspace_id = %s AND slug = %s", (workspace_id, slug)
    )
    return int(rows[0][0]) if rows else None


def flow_ids(workspace_id: int) -> list[int]:
    """All flows of a workspace, by name."""
    return [
        row[0]
        for row in sql.fetch(
            "SELECT id FROM workflows_flow WHERE workspace_id = %s ORDER BY name, id",
            (workspace_id,),
        )
    ]


def flow_rows(workspace_id: int) -> list[FlowRow]:
    """All flows of a workspace with how they are doing, by name."""
    flows = list(
        Flow.objects.filter(workspace_id=workspace_id)
        .select_related("published", "workspace")
        .order_by("name", "id")
    )
    now = int(time.time() // 60)
    counts = traces.per_minute([flow.pk for flow in flows], now - _MINUTES + 1)
    dead: dict[int, int] = dict(
        sql.fetch(
            "SELECT flow_id, COUNT(*) FROM workflows_deadletter WHERE state = 'open'"
            " GROUP BY flow_id"
        )
    )
    out = []
    for flow in flows:
        minutes = [
            counts.get(flow.pk, {}).get(minute, (0, 0))[0]
            for minute in range(now - _MINUTES + 1, now + 1)
        ]
        seconds = time.time() % 60
        recent = (minutes[-2] * (60 - seconds) / 60 + minutes[-1]) if seconds < 60 else minutes[-1]
        out.append(
            FlowRow(flow, cursors.lag_of_flow(flow.pk), recent, minutes, dead.get(flow.pk, 0))
        )
    return out
