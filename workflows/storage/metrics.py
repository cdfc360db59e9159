"""The figures of a workspace that a monitoring system reads."""

from typing import NamedTuple

from workflows.storage import cursors, deadgroups, sql, timers


class FlowFigures(NamedTuple):
    lag: int
    effects: int
    held: int
    dead: int
    failing: int


def counters(workspace_id: int) -> list[tuple[str, str, str, int]]:
    """(flow, node, outcome, count) since each flow exists."""
    return [
        (flow, node, name, int(n))
        for flow, node, name, n in sql.fetch(
            "SELECT f.slug, c.node, c.name, SUM(c.n) FROM workflows_counter c"
            " JOIN workflows_flow f ON f.id = c.flow_id WHERE f.workspace_id = %s"
            " AND c.name NOT LIKE '%%:%%' GROUP BY f.id, c.node, c.name",
            (workspace_id,),
        )
    ]


def flows(workspace_id: int) -> dict[str, FlowFigures]:
    """By slug, how much each flow has before it."""
    counts: dict[str, dict[int, int]] = {
        table: dict(
            sql.fetch(
                f"SELECT t.flow_id, COUNT(*) FROM {table} t JOIN workflows_flow f"
                f" ON f.id = t.flow_id WHERE f.workspace_id = %s GROUP BY t.flow_id",
                (workspace_id,),
            )
        )
        for table in ("workflows_effect", "workflows_held")
    }
    slugs = sql.fetch(
        "SELECT id, slug FROM workflows_flow WHERE workspace_id = %s ORDER BY slug",
        (workspace_id,),
    )
    flow_ids = [flow_id for flow_id, _ in slugs]
    dead = deadgroups.open_letters(flow_ids)
    lags, failing = cursors.lags(flow_ids), timers.failing(flow_ids)
    return {
        slug: FlowFigures(
            lags.get(flow_id, 0),
            counts["workflows_effect"].get(flow_id, 0),
            counts["workflows_held"].get(flow_id, 0),
            dead.get(flow_id, 0),
            failing.get(flow_id, 0),
        )
        for flow_id, slug in slugs
    }
