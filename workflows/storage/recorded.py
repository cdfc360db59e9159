"""What did the world answer to the effects of a trace? Kept with the commit that settled them.

A segment then has, next to its steps, `"replies": [[node, path, attempt, good, status, body,
error], …]`, one for each effect that was settled for good. `good` is 1 unless the node took the
answer for a failure. The body is kept where a wire leads on from the node, and only whole: null
means that it was too large, or that nothing followed from it.
"""

from collections.abc import Collection, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from workflows.engine.effects import Reply
from workflows.engine.plan import Plan
from workflows.engine.walk import Walk
from workflows.storage import runs, sql
from workflows.storage.parts import TraceRef

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


def of_walk(
    plan: Plan, walk: Walk, replies: Mapping[tuple[int, int], Reply]
) -> dict[int, list[Recorded]]:
    """What is to be kept of the replies that led to this walk, by root. `replies` has them by the
    root and the path of the arrival that asked."""
    out: dict[int, list[Recorded]] = {}
    for step in walk.steps:
        reply = replies.get((step.root, step.path)) if step.attempt else None
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
        out.setdefault(step.root, []).append(row)
    return out


def of_traces(refs: Collection[TraceRef]) -> dict[TraceRef, list[Recorded]]:
    """What was recorded in these traces, in order."""
    out: dict[TraceRef, list[Recorded]] = {}
    for ref, segment in [*_first_segments(refs), *segments(refs)]:
        out.setdefault(ref, []).extend(read(segment))
    return out


def read(segment: Mapping[str, Any]) -> list[Recorded]:
    """The answers that one segment keeps."""
    return [Recorded(*row) for row in segment.get("replies", ())]


def _first_segments(refs: Collection[TraceRef]) -> list[tuple[TraceRef, dict[str, Any]]]:
    """What the first commit of each of these traces left."""
    rows = sql.find_many(
        'SELECT t.subscription_id, t."partition", t."offset", t.run, t.steps FROM v'
        ' JOIN workflows_trace t ON t.subscription_id = v.s AND t."partition" = v.p'
        ' AND t."offset" = v.o AND t.run = v.r',
        "s, p, o, r",
        sorted(refs),
    )
    return [(TraceRef(*row[:4]), orjson.loads(bytes(row[4]))) for row in rows]


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
