"""What stands between due effects and the world? A gate for each limit and each open breaker.

Gates of destinations are made here: by somebody who limits one, or by failures that open its
breaker. Gates of limited nodes and keys are made by what passes them (`passage`).
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from workflows.engine.keys import stable_key
from workflows.engine.limits import Limits
from workflows.storage import sql

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
_MOST_GATES = 1_000


class Gate(NamedTuple):
    """A gate as it stands in the database."""

    name: str
    workspace_id: int
    destination: str  # "" for that of a node or a key
    at_once: int
    per_second: float
    next_at: float
    queued_until: float
    opened_at: float | None
    retry_at: float
    tried_until: float
    pause_seconds: float
    error: str


COLUMNS = (
    "name, workspace_id, destination, at_once, per_second, next_at, queued_until, opened_at,"
    " retry_at, tried_until, pause_seconds, error"
)


def node_gate(flow_id: int, node: str) -> str:
    """Name of a limited node's gate."""
    return f"n:{flow_id}:{node}"


def key_gate(flow_id: int, node: str, key: str) -> str:
    """Name of the gate that a node has for one key."""
    return f"k:{flow_id}:{node}:{stable_key(key)}"


def destination_gate(workspace_id: int, destination: str) -> str:
    """Name of a destination's gate."""
    return f"d:{workspace_id}:{destination}"


def guarded() -> dict[str, bool]:
    """Names of the destinations' gates that limit or stop something, of all workspaces; whether
    their breaker is open."""
    rows = sql.fetch(
        "SELECT name, opened_at IS NOT NULL FROM workflows_gate WHERE destination <> ''"
        " AND (at_once > 0 OR per_second > 0 OR opened_at IS NOT NULL)"
        " ORDER BY (at_once > 0 OR per_second > 0) DESC LIMIT %s",
        (_MOST_GATES,),
    )
    return {name: bool(is_open) for name, is_open in rows}


def of_workspace(workspace_id: int, limit: int = 500) -> list[Gate]:
    """The destinations of a workspace that have a limit or are down, or were so a minute ago."""
    rows = sql.fetch(
        f"SELECT {COLUMNS} FROM workflows_gate WHERE workspace_id = %s AND destination <> ''"
        " ORDER BY destination LIMIT %s",
        (workspace_id, limit),
    )
    return [Gate(*row) for row in rows]


def set_limits(workspace_id: int, destination: str, limits: Limits) -> None:
    """Limit all that a workspace sends to a destination."""
    name = destination_gate(workspace_id, destination)
    sql.execute(
        f"INSERT INTO workflows_gate ({COLUMNS})"
        " VALUES (%s, %s, %s, %s, %s, 0, 0, NULL, 0, 0, 0, '')"
        " ON CONFLICT (name) DO UPDATE SET at_once = excluded.at_once,"
        " per_second = excluded.per_second",
        (name, workspace_id, destination, limits.at_once, limits.per_second),
    )


def open_breaker(workspace_id: int, destination: str, error: str) -> None:
    """Stop sending to a destination for a while. Where that is so already, nothing changes: many
    processes may find out together."""
    now = sql.now_sql()
    name = destination_gate(workspace_id, destination)
    sql.execute(
        f"INSERT INTO workflows_gate ({COLUMNS})"
        f" VALUES (%s, %s, %s, 0, 0, 0, 0, {now}, {now} + %s, 0, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET opened_at = excluded.opened_at,"
        " retry_at = excluded.retry_at, tried_until = 0,"
        " pause_seconds = excluded.pause_seconds, error = excluded.error"
        " WHERE workflows_gate.opened_at IS NULL",
        (name, workspace_id, destination, FIRST_PAUSE, FIRST_PAUSE, sql.column(error, 300)),
    )


def keep_open(workspace_id: int, destination: str, error: str) -> None:
    """The effect that tried a destination has failed, too: wait twice as long as before."""
    pause = "CASE WHEN pause_seconds * 2 < %s THEN pause_seconds * 2 ELSE %s END"
    sql.execute(
        f"UPDATE workflows_gate SET pause_seconds = {pause}, retry_at = {sql.now_sql()} + {pause},"
        " tried_until = 0, error = %s WHERE name = %s AND opened_at IS NOT NULL",
        (
            *[LONGEST_PAUSE] * 4,
            sql.column(error, 300),
            destination_gate(workspace_id, destination),
        ),
    )


def close_breaker(workspace_id: int, destination: str) -> None:
    """Send again: the destination has answered."""
    sql.execute(
        "UPDATE workflows_gate SET opened_at = NULL, retry_at = 0, tried_until = 0,"
        " pause_seconds = 0, error = '' WHERE name = %s AND opened_at IS NOT NULL",
        (destination_gate(workspace_id, destination),),
    )


def leave(flow_id: int, numbers: Sequence[int]) -> None:
    """Give back the slots of effects that were answered; as many that wait for them are due now."""
    if not numbers:
        return
    marks = ", ".join(["%s"] * len(numbers))
    left = sql.fetch(
        f"DELETE FROM workflows_slot WHERE flow_id = %s AND number IN ({marks}) RETURNING gate",
        (flow_id, *numbers),
    )
    # Whoever takes effects has their rows: passed over, so that nobody waits for anybody here.
    lock = " FOR UPDATE SKIP LOCKED" if sql.is_postgres() else ""
    for gate, count in Counter(gate for (gate,) in left).items():
        sql.execute(
            f"UPDATE workflows_effect SET due_at = {sql.now_sql()}, gate = ''"
            " WHERE (flow_id, number) IN (SELECT flow_id, number FROM workflows_effect"
            f" WHERE gate = %s AND gate <> '' ORDER BY due_at LIMIT %s{lock})",
            (gate, count),
        )
