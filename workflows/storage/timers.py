"""When do producers make events by themselves, when did they last, and what was wrong then?"""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import sql

_NEVER = 1e11  # Unix seconds; of a timer that has no next moment


class DueTimer(NamedTuple):
    subscription_id: int
    due_at: float


class Timed(NamedTuple):
    """How a producer stands that makes events by itself. Moments are Unix seconds."""

    node: str
    next_at: float | None  # None: it has no next moment
    fired_at: float | None  # the last moment that it made events for; None: none yet
    error: str  # what was wrong at the last one, empty when nothing was


def due(limit: int = 100) -> list[DueTimer]:
    """Timers of running flows whose moment has come."""
    return [
        DueTimer(*row)
        for row in sql.fetch(
            "SELECT t.subscription_id, t.due_at FROM workflows_timer t"
            " JOIN workflows_subscription s ON s.id = t.subscription_id"
            " JOIN workflows_flow f ON f.id = s.flow_id"
            f" WHERE t.due_at <= {sql.now_sql()} AND NOT f.paused AND s.state = 'active'"
            " ORDER BY t.due_at LIMIT %s",
            (limit,),
        )
    ]


def advance(
    timer: DueTimer, next_due: float | None, fired_at: float | None = None, error: str = ""
) -> bool:
    """Move a timer on, unless somebody else did. Part of the transaction that stores its events.

    Without `fired_at` it made none, and the last moment that it made some for stays known.
    """
    return bool(
        sql.execute(
            "UPDATE workflows_timer SET due_at = %s, fired_at = COALESCE(%s, fired_at), error = %s"
            " WHERE subscription_id = %s AND due_at = %s",
            (
                _NEVER if next_due is None else next_due,
                fired_at,
                error,
                timer.subscription_id,
                timer.due_at,
            ),
        )
    )


def of_flow(flow_id: int) -> list[Timed]:
    """The producers of a flow that make events by themselves, by node."""
    return [
        Timed(node, None if due_at >= _NEVER else due_at, fired_at, error)
        for node, due_at, fired_at, error in sql.fetch(
            "SELECT s.node, t.due_at, t.fired_at, t.error FROM workflows_timer t"
            " JOIN workflows_subscription s ON s.id = t.subscription_id"
            " WHERE s.flow_id = %s AND s.state = 'active' ORDER BY s.node",
            (flow_id,),
        )
    ]


def failing(flow_ids: Sequence[int]) -> dict[int, int]:
    """Flow id -> how many of its timers failed at their last moment; absent means none."""
    return sql.numbers(
        "SELECT s.flow_id, COUNT(*) FROM workflows_timer t"
        " JOIN workflows_subscription s ON s.id = t.subscription_id"
        " WHERE t.error <> '' AND s.state = 'active' AND s.flow_id IN ({ids})"
        " GROUP BY s.flow_id",
        flow_ids,
    )
