"""Which gates and slots does nobody need any more?

Those of deleted flows and nodes, of keys that rest, of destinations that are neither limited nor
down, and of effects that were ended by hand. Nothing is asked of their owners: what rests may go
at any time, since whoever needs it makes it again.
"""

from workflows.storage import sql
from workflows.storage.passage import BURST_SECONDS

_BATCH = 1_000
_MOST_BATCHES = 50  # of each kind in one round
_FORGOTTEN_SECONDS = 86_400.0  # a breaker that nobody has tried for so long

_SLOTS = "SELECT gate, flow_id, number FROM workflows_slot WHERE until < {now}"
_GATES = (
    "SELECT name FROM workflows_gate WHERE opened_at IS NULL"
    f" AND next_at < {{now}} - {BURST_SECONDS} AND queued_until < {{now}}"
    " AND (destination = '' OR (at_once = 0 AND per_second = 0))"
)


def sweep() -> int:
    """One round; how many rows went."""
    _close_forgotten()
    slots = _delete("workflows_slot", "(gate, flow_id, number)", _SLOTS)
    return slots + _delete("workflows_gate", "name", _GATES)


def _close_forgotten() -> None:
    """Whom nobody calls any more, nobody tries."""
    old = f"{sql.now_sql()} - {_FORGOTTEN_SECONDS}"
    sql.execute(
        "UPDATE workflows_gate SET opened_at = NULL, retry_at = 0, tried_until = 0,"
        f" pause_seconds = 0, error = '' WHERE opened_at < {old} AND retry_at < {old}"
        " AND NOT EXISTS (SELECT 1 FROM workflows_effect e JOIN workflows_flow f"
        " ON f.id = e.flow_id WHERE e.destination = workflows_gate.destination"
        " AND f.workspace_id = workflows_gate.workspace_id)"
    )


def _delete(table: str, key: str, resting: str) -> int:
    """Delete what rests and isn't locked, in small statements."""
    which = f"{resting.format(now=sql.now_sql())} LIMIT {_BATCH}"
    lock = " FOR UPDATE SKIP LOCKED" if sql.is_postgres() else ""
    gone = 0
    for _ in range(_MOST_BATCHES):
        n = sql.execute(f"DELETE FROM {table} WHERE {key} IN ({which}{lock})")
        gone += n
        if n < _BATCH:
            break
    return gone
