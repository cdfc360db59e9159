"""Dead letters: what is there, and taking one up again."""

from typing import NamedTuple

from workflows.storage import sql
from workflows.storage.parts import TraceRef


class Claimable(NamedTuple):
    """An open dead letter, with the version that would run it now."""

    id: int
    flow_id: int
    version_id: int
    node: str
    ref: TraceRef
    path: int
    event: bytes
    dead_at: float


def claimable(dead_letter_id: int) -> Claimable | None:
    """The dead letter if it is open; the published version, else the one that it died on."""
    rows = sql.fetch(
        "SELECT d.id, d.flow_id, COALESCE(f.published_id, d.version_id), d.node,"
        ' d.subscription_id, d."partition", d."offset", d.run, d.path, d.event, d.dead_at'
        " FROM workflows_deadletter d JOIN workflows_flow f ON f.id = d.flow_id"
        " WHERE d.id = %s AND d.state = 'open'",
        (dead_letter_id,),
    )
    if not rows:
        return None
    row = rows[0]
    return Claimable(
        id=row[0],
        flow_id=row[1],
        version_id=row[2],
        node=row[3],
        ref=TraceRef(*row[4:8]),
        path=row[8],
        event=bytes(row[9]),
        dead_at=row[10],
    )


def next_run(ref: TraceRef) -> int:
    """The number of the next run of an event through the same subscription."""
    rows = sql.fetch(
        "SELECT COALESCE(MAX(run), 0) + 1 FROM workflows_trace WHERE subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s',
        ref[:3],
    )
    return int(rows[0][0])


def discard(dead_letter_id: int) -> bool:
    """Close a dead letter without running it; False when it isn't open any more."""
    return bool(
        sql.execute(
            "UPDATE workflows_deadletter SET state = 'discarded' WHERE id = %s AND state = 'open'",
            (dead_letter_id,),
        )
    )
