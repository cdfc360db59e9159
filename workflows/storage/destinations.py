"""Whom does a workspace send to, what limits that, and who waits because it is down?"""

from typing import NamedTuple
from urllib.parse import urlsplit

from workflows.engine import effects
from workflows.engine.limits import Limits
from workflows.storage import gates, sql

MOST_COUNTED = 10_000  # parked calls that one look goes through


class Destination(NamedTuple):
    """A destination with limits or a breaker, or one that calls wait for."""

    destination: str
    at_once: int  # 0: no limit
    per_second: float  # 0: no limit
    opened_at: float | None  # None: it is called as usual
    retry_at: float
    error: str
    waiting: int  # calls that aren't under way


UNKNOWN = Destination("", 0, 0.0, None, 0.0, "", 0)  # nothing limits it, and it isn't down


class Page(NamedTuple):
    """`is_whole`: all parked calls were counted; else `waiting` is the least that there are."""

    destinations: list[Destination]
    is_whole: bool


def of_workspace(workspace_id: int) -> Page:
    """By name. What nothing limits and nothing waits for isn't known here."""
    counts, is_whole = _waiting(
        "flow_id IN (SELECT id FROM workflows_flow WHERE workspace_id = %s)", workspace_id
    )
    known = {gate.destination: _of(gate, 0) for gate in gates.of_workspace(workspace_id)}
    for name, n in counts.items():
        known[name] = known.get(name, UNKNOWN)._replace(destination=name, waiting=n)
    return Page([known[name] for name in sorted(known)], is_whole)


def find(workspace_id: int, destination: str) -> Destination:
    """The one of that name, also when there is nothing to say of it."""
    known = {one.destination: one for one in of_workspace(workspace_id).destinations}
    return known.get(destination, UNKNOWN._replace(destination=destination))


def normal(text: str) -> str | None:
    """The destination that somebody wrote down, perhaps as a whole address; None for no name."""
    text = text.strip()
    if text == "mail" or (text.startswith("celery:") and len(text) > len("celery:")):
        return text[:200]
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return effects.destination(effects.HttpRequest(method="GET", url=text)) if is_address else None


def down_for(workspace_id: int, flow_id: int) -> Page:
    """Destinations that don't answer and that calls of this flow wait for."""
    down = {gate.destination: gate for gate in gates.of_workspace(workspace_id) if gate.opened_at}
    if not down:
        return Page([], True)
    counts, is_whole = _waiting("flow_id = %s", flow_id)
    return Page(
        [_of(down[name], n) for name, n in sorted(counts.items()) if name in down], is_whole
    )


def count_open(workspace_id: int) -> int:
    """How many breakers are open."""
    rows = sql.fetch(
        "SELECT COUNT(*) FROM workflows_gate WHERE workspace_id = %s AND opened_at IS NOT NULL",
        (workspace_id,),
    )
    return int(rows[0][0])


def limit(workspace_id: int, destination: str, limits: Limits) -> None:
    """Limit all that the workspace sends there; no limits at all forget it, unless it is down."""
    with sql.write():
        gates.set_limits(workspace_id, destination, limits)
        if not limits:
            sql.execute(
                "DELETE FROM workflows_gate WHERE name = %s AND opened_at IS NULL",
                (gates.destination_gate(workspace_id, destination),),
            )


def try_now(workspace_id: int, destination: str) -> bool:
    """Let one call try a destination that is down, without waiting for its moment or for another
    one that still tries it; if that is answered, the others follow. False when it isn't down."""
    name = gates.destination_gate(workspace_id, destination)
    open_gate = " FROM workflows_gate WHERE name = %s AND opened_at IS NOT NULL"
    with sql.write():  # in the order of those who take effects: these first, then the gate
        for (retry_at,) in sql.fetch(f"SELECT retry_at{open_gate}", (name,)):
            sql.execute(
                "UPDATE workflows_effect SET due_at = 0 WHERE due_at <= %s AND owner = ''"
                " AND destination = %s"
                " AND flow_id IN (SELECT id FROM workflows_flow WHERE workspace_id = %s)",
                (retry_at, destination, workspace_id),
            )
        return bool(
            sql.execute(
                "UPDATE workflows_gate SET retry_at = 0, tried_until = 0, pause_seconds = %s"
                " WHERE name = %s AND opened_at IS NOT NULL",
                (gates.FIRST_PAUSE / 2, name),  # which a failed try doubles
            )
        )


def _of(gate: gates.Gate, waiting: int) -> Destination:
    return Destination(
        gate.destination,
        gate.at_once,
        gate.per_second,
        gate.opened_at,
        gate.retry_at,
        gate.error,
        waiting,
    )


def _waiting(only: str, value: int) -> tuple[dict[str, int], bool]:
    """Parked calls by destination, and whether all were counted."""
    rows = sql.fetch(
        "SELECT destination, owner = '', COUNT(*) FROM (SELECT destination, owner"
        f" FROM workflows_effect WHERE {only} LIMIT %s) AS parked GROUP BY 1, 2",
        (value, MOST_COUNTED),
    )
    counts: dict[str, int] = {}
    for name, is_waiting, n in rows:
        counts[name] = counts.get(name, 0) + (int(n) if is_waiting else 0)
    return counts, sum(int(n) for _, _, n in rows) < MOST_COUNTED
