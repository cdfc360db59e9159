"""When is something due next? The earliest moment of all work that waits for one."""

from workflows.storage import sql

_PARKED = (
    "SELECT * FROM (SELECT d.due_at FROM {table} d JOIN workflows_flow f ON f.id = d.flow_id"
    " WHERE NOT f.paused ORDER BY d.due_at LIMIT 1) AS {table}_next"
)
_TIMERS = (
    "SELECT * FROM (SELECT t.due_at FROM workflows_timer t"
    " JOIN workflows_subscription s ON s.id = t.subscription_id AND s.state = 'active'"
    " JOIN workflows_flow f ON f.id = s.flow_id WHERE NOT f.paused"
    " ORDER BY t.due_at LIMIT 1) AS timer_next"
)
_REDRIVES = (
    "SELECT * FROM (SELECT due_at FROM workflows_redrive WHERE ended_at IS NULL"
    " ORDER BY due_at LIMIT 1) AS redrive_next"
)
_REPLAYS = (
    "SELECT CASE WHEN r.due_at > r.lease_until THEN r.due_at ELSE r.lease_until END"
    " FROM workflows_replay r JOIN workflows_flow f ON f.id = r.flow_id"
    " WHERE r.state IN ('counting', 'running') AND (r.mode = 'shadow' OR NOT f.paused)"
)
_NEXT = " UNION ALL ".join(
    (
        _PARKED.format(table="workflows_effect"),
        _PARKED.format(table="workflows_held"),
        _TIMERS,
        _REDRIVES,
        _REPLAYS,
    )
)


def seconds_to_next() -> float | None:
    """Seconds from now to the first due effect, held arrival, timer or replay of a flow that isn't
    paused, or run over letters; 0 or less when it is due, None when nothing waits. A look-up in an
    index for each kind."""
    rows = sql.fetch(f"SELECT MIN(due_at) - {sql.now_sql()} FROM ({_NEXT}) AS moments")
    return None if rows[0][0] is None else float(rows[0][0])
