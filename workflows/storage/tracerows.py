"""How does a commit write traces: new ones, and what it adds to those that stand already?

A trace's row has its sums and its state, which are updated; its steps are segments, which are only
ever added (DESIGN section 7).
"""

from workflows.storage import sql
from workflows.storage.parts import FlowCommit, TraceRef


def insert(part: FlowCommit, number: int) -> None:
    """Add the new traces; `number` is the first one's change number."""
    sql.insert_many(
        "workflows_trace",
        'subscription_id, "partition", "offset", run, flow_id, version, number, state, open,'
        " delivered, dead, type, key, event_id, accepted_at, taken_at, ended_at, error, steps",
        [
            (
                *trace.ref,
                part.flow_id,
                trace.version,
                number + i,
                trace.state,
                trace.open,
                trace.delivered,
                trace.dead,
                trace.type,
                trace.key,
                trace.event_id,
                trace.accepted_at,
                trace.taken_at,
                trace.ended_at,
                trace.error,
                trace.steps,
            )
            for i, trace in enumerate(part.traces)
        ],
    )


_CHANGES = (
    "open = open + v.o, delivered = delivered + v.ok, dead = dead + v.ko,"
    " state = CASE WHEN open + v.o > 0 THEN 'running' WHEN dead + v.ko > 0 THEN 'failed'"
    " WHEN delivered + v.ok > 0 THEN 'ok' ELSE 'filtered' END,"
    " ended_at = CASE WHEN open + v.o > 0 THEN NULL ELSE CAST(v.ended AS double precision) END,"
    " error = CASE WHEN v.says = '' THEN error ELSE v.says END"
)


def change(part: FlowCommit, number: int) -> None:
    """Add the segments, numbered from `number` on, and change the traces that they belong to."""
    sql.insert_many(
        "workflows_segment",
        'flow_id, change, subscription_id, "partition", "offset", run, steps',
        [(part.flow_id, number + i, *one.ref, one.steps) for i, one in enumerate(part.changes)],
    )
    sql.update_many(
        "workflows_trace",
        _CHANGES,
        "s, p, n, r, o, ok, ko, ended, says",
        'subscription_id = v.s AND "partition" = v.p AND "offset" = v.n AND run = v.r',
        [
            (*ref, opened, delivered, dead, ended_at, says)
            for ref, (opened, delivered, dead, ended_at, says) in _by_trace(part).items()
        ],
    )


def _by_trace(part: FlowCommit) -> dict[TraceRef, tuple[int, int, int, float, str]]:
    """The changes of each trace added up: one statement can update a row only once."""
    out: dict[TraceRef, tuple[int, int, int, float, str]] = {}
    for one in part.changes:
        opened, delivered, dead, _, says = out.get(one.ref, (0, 0, 0, 0.0, ""))
        out[one.ref] = (
            opened + one.open,
            delivered + one.delivered,
            dead + one.dead,
            one.ended_at,
            one.error or says,
        )
    return out
