"""Which arrivals ended in failure: lists of them, all about one, and how are they closed?"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson
from django.db.models import Exists, OuterRef, QuerySet

from workflows.models import DeadGroup, DeadLetter, Flow
from workflows.storage import deadgroups, runs, sql
from workflows.storage.parts import TraceRef

_SEGMENTS = 200  # of a trace in which attempts are looked for, the newest
_KEPT_SECONDS = 30 * 86_400.0  # a letter is kept after it was closed
_AT_ONCE = 2_000


class Wanted(NamedTuple):
    """A list's filters; what is empty leaves a field open. `flow` is a slug, `redrive` the run
    that took the letters up, `outcome` what came of them."""

    flow: str = ""
    state: str = ""
    fingerprint: str = ""
    node: str = ""
    kind: str = ""
    since: float = 0.0
    redrive: int = 0
    outcome: str = ""


class Claimable(NamedTuple):
    """An open dead letter, with the versions that can run it."""

    id: int
    flow_id: int
    flow: str  # slug
    published_id: int | None
    failed_id: int  # the version that it died on
    paused: bool
    node: str
    path: int
    dead_at: float
    kind: str  # of the failure
    ref: TraceRef
    event: bytes


class Attempt(NamedTuple):
    """One attempt of the node at the event, and what came of it."""

    number: int
    at: float
    kind: str
    message: str
    took_ms: float | None
    detail: Any


def listed(workspace_id: int, wanted: Wanted) -> QuerySet[DeadLetter]:
    """The dead letters that the filters leave, each with its flow and version, without payloads."""
    # Asked of each letter, not by a join: lists then go by id from their end and stop when they
    # are full, where they would otherwise sort all letters of the workspace.
    theirs = Flow.objects.filter(pk=OuterRef("flow_id"), workspace_id=workspace_id)
    found = DeadLetter.objects.filter(Exists(theirs))
    if wanted.flow:
        flow_ids = Flow.objects.filter(workspace_id=workspace_id, slug=wanted.flow)
        found = found.filter(flow_id__in=list(flow_ids.values_list("pk", flat=True)))
    if wanted.kind:
        alike = DeadGroup.objects.filter(workspace_id=workspace_id, kind=wanted.kind)
        found = found.filter(fingerprint__in=alike.values("fingerprint"))
    if wanted.since:
        found = found.filter(dead_at__gte=wanted.since)
    exact = {
        name: value
        for name in ("state", "fingerprint", "node", "redrive", "outcome")
        if (value := getattr(wanted, name))
    }
    found = found.filter(**exact).select_related("flow", "version")
    return found.defer("event", "version__document")


def find(workspace_id: int, dead_letter_id: int) -> DeadLetter | None:
    """One dead letter whole, with its flow and version, and the run that took it up."""
    found = DeadLetter.objects.filter(pk=dead_letter_id, flow__workspace_id=workspace_id)
    return found.select_related("flow", "version", "redrive").first()


def of_trace(flow_id: int, ref: TraceRef) -> list[DeadLetter]:
    """What a trace left, in the order in which it died."""
    found = DeadLetter.objects.filter(
        flow_id=flow_id,
        subscription_id=ref.subscription_id,
        partition=ref.partition,
        offset=ref.offset,
        run=ref.run,
    )
    return list(found.defer("event").order_by("id"))


def attempts(letter: DeadLetter) -> list[Attempt]:
    """What each attempt was answered, in order, as the trace's steps tell it; the last one alone
    when these are gone. Of a trace with very many steps the newest are looked at."""
    segments = sql.fetch(
        "SELECT steps FROM workflows_segment WHERE subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s AND run = %s ORDER BY change DESC LIMIT %s',
        (letter.subscription_id, letter.partition, letter.offset, letter.run, _SEGMENTS),
    )
    found: dict[int, Attempt] = {}
    for (raw,) in segments:
        segment = orjson.loads(bytes(raw))
        for step in segment["steps"]:
            number, error = step.get("a", 0), step.get("e")
            if step["n"] == letter.node and number and error and _is_of(step, letter):
                found.setdefault(number, _attempt(number, segment["at"], error, step.get("x")))
    last = max(letter.attempts, 1)
    if last not in found:
        found[last] = _attempt(last, letter.dead_at, letter.failure, None)
    return [found[number] for number in sorted(found) if number <= last]


def _is_of(step: dict[str, Any], letter: DeadLetter) -> bool:
    """Whether a step is of the letter's own way: split events reach a node by several."""
    return bool(step.get("k", letter.path) == letter.path)


def _attempt(number: int, at: float, error: Any, took_ms: float | None) -> Attempt:
    error = error if isinstance(error, dict) else {}
    kind, message = str(error.get("kind", "")), str(error.get("message", ""))
    return Attempt(number, at, kind, message, took_ms, error.get("detail"))


def claim(workspace_id: int, letters: Sequence[int]) -> list[Claimable]:
    """Those of the letters that are open, in order."""
    if not letters:
        return []
    marks = ", ".join(["%s"] * len(letters))
    rows = sql.fetch(
        "SELECT d.id, d.flow_id, f.slug, f.published_id, d.version_id, f.paused, d.node, d.path,"
        ' d.dead_at, COALESCE(g.kind, \'\'), d.subscription_id, d."partition", d."offset",'
        " d.run, d.event FROM workflows_deadletter d JOIN workflows_flow f ON f.id = d.flow_id"
        " LEFT JOIN workflows_deadgroup g ON g.flow_id = d.flow_id"
        " AND g.fingerprint = d.fingerprint"
        f" WHERE f.workspace_id = %s AND d.id IN ({marks}) AND d.state = 'open' ORDER BY d.id",
        (workspace_id, *letters),
    )
    out = []
    for row in rows:
        ref, event = TraceRef(*row[10:14]), bytes(row[14])
        out.append(Claimable._make((*row[:10], ref, event)))
    return out


def next_run(ref: TraceRef) -> int:
    """The number of the next redrive of an event through the same subscription."""
    rows = sql.fetch(
        "SELECT COALESCE(MAX(run), 0) + 1 FROM workflows_trace WHERE subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s AND run < %s',
        (*ref[:3], runs.FIRST_REPLAY),
    )
    return int(rows[0][0])


def newest_id() -> int:
    """The number of the newest letter of all; 0 when there is none."""
    return int(sql.fetch("SELECT COALESCE(MAX(id), 0) FROM workflows_deadletter")[0][0])


def discard(letters: Collection[int], by: str, redrive_id: int | None = None) -> int:
    """Close those of the letters that are open, without running them; how many these were."""
    if not letters:
        return 0
    marks = ", ".join(["%s"] * len(letters))
    with sql.write():
        closed = sql.fetch(
            "UPDATE workflows_deadletter SET state = 'discarded', closed_by = %s,"
            f" closed_at = {sql.now_sql()}, redrive_id = %s"
            f" WHERE id IN ({marks}) AND state = 'open' RETURNING flow_id, fingerprint",
            (by, redrive_id, *letters),
        )
        for flow_id in sorted({flow_id for flow_id, _ in closed}):
            gone = Counter(fingerprint for flow, fingerprint in closed if flow == flow_id)
            deadgroups.uncount(flow_id, gone)
    return len(closed)


def forget() -> None:
    """Delete a batch of what was closed long ago: letters, then runs and groups without any."""
    old = f"{sql.now_sql()} - {_KEPT_SECONDS}"
    sql.execute(
        "DELETE FROM workflows_deadletter WHERE id IN (SELECT id FROM workflows_deadletter"
        f" WHERE closed_at < {old} ORDER BY closed_at LIMIT {_AT_ONCE})"
    )
    sql.execute(
        f"DELETE FROM workflows_redrive WHERE ended_at < {old} AND NOT EXISTS"
        " (SELECT 1 FROM workflows_deadletter d WHERE d.redrive_id = workflows_redrive.id)"
    )
    sql.execute(f"DELETE FROM workflows_deadgroup WHERE open <= 0 AND newest_at < {old}")
