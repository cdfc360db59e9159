"""What did the world answer to the effects of a trace? Kept with the commit that settled them.

A segment then has, next to its steps, `"replies": [[node, path, attempt, good, status, body,
error], …]`, one for each effect that was settled for good. `good` is 1 unless the node took the
answer for a failure. The body is kept where a wire leads on from the node, and only whole: null
means that it was too large, or that nothing followed from it.
"""

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import orjson

from workflows.engine.effects import Reply
from workflows.engine.plan import Plan
from workflows.engine.walk import Walk
from workflows.storage import runs, sql
from workflows.storage.parts import FlowCommit, TraceRef

LONGEST_BODY = 4_096  # characters


class Recorded(NamedTuple):
    """One answer of the world. `body` None: it wasn't kept."""

    node: str
    path: int
    attempt: int
    good: int
    status: int
    body: str | None
    error: str

    def reply(self, plan: Plan) -> Reply | None:
        """The answer as the node would get it again; None when not enough of it was kept."""
        if self.body is None and _leads_on(plan, self.node):
            return None
        error: Any = self.error
        return Reply(ok=not error, status=self.status, body=self.body or "", error=error)


def _leads_on(plan: Plan, node: str) -> bool:
    """Whether something may follow from the body of a reply to this node."""
    return node in plan.nodes and bool(plan.nodes[node].targets)


def note(part: FlowCommit, plan: Plan, walk: Walk, replies: Sequence[Reply | None]) -> None:
    """Add to each change of a trace the reply that led to it; change and reply are of one root."""
    for step in walk.steps:
        reply = replies[step.root] if step.attempt else None
        if reply is None or step.outcome == "retrying":
            continue
        keeps = _leads_on(plan, step.node) and len(reply.body) <= LONGEST_BODY
        row = Recorded(
            step.node,
            step.path,
            step.attempt,
            int(step.error is None),
            reply.status,
            reply.body if keeps else None,
            reply.error,
        )
        change = part.changes[step.root]
        steps = change.steps[:-1] + b',"replies":' + orjson.dumps([tuple(row)]) + b"}"
        part.changes[step.root] = msgspec.structs.replace(change, steps=steps)


def of_traces(refs: Collection[TraceRef]) -> dict[TraceRef, list[Recorded]]:
    """What was recorded in these traces, in order."""
    out: dict[TraceRef, list[Recorded]] = {}
    for ref, segment in segments(refs):
        out.setdefault(ref, []).extend(Recorded(*row) for row in segment.get("replies", ()))
    return out


def segments(refs: Collection[TraceRef]) -> list[tuple[TraceRef, dict[str, Any]]]:
    """What the later commits of these traces left, in the order of the commits."""
    piece = (
        'SELECT subscription_id, "partition", "offset", run, change, steps FROM workflows_segment'
        ' WHERE subscription_id = %s AND "partition" = %s AND "offset" = %s AND run = %s'
    )
    rows = sorted(sql.fetch_each(piece, sorted(refs)), key=itemgetter(4))
    return [(TraceRef(*row[:4]), orjson.loads(bytes(row[5]))) for row in rows]


def done_before(ref: TraceRef, plan: Plan, node: str, path: int) -> Reply | None:
    """What the world answered when an earlier run of the event made this effect with success.

    Where the way to the node has changed since, the one effect that the node made counts.
    """
    rows = sql.fetch(
        'SELECT run FROM workflows_trace WHERE subscription_id = %s AND "partition" = %s'
        ' AND "offset" = %s AND run < %s AND run <> %s',
        (*ref[:3], runs.FIRST_SHADOW, ref.run),
    )
    earlier = of_traces([ref._replace(run=run) for (run,) in rows])
    good = [one for some in earlier.values() for one in some if one.node == node and one.good]
    same_way = [one for one in good if one.path == path]
    if not same_way and len({one.path for one in good}) == 1:
        same_way = good
    return same_way[-1].reply(plan) if same_way else None
