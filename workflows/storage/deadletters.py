"""Which arrivals ended in failure: lists of them, groups of the same failure, and one taken up?"""

from typing import NamedTuple

from django.db.models import Count, Max, QuerySet

from workflows.models import DeadLetter
from workflows.storage import sql
from workflows.storage.parts import TraceRef

_GROUPS = 200


class Wanted(NamedTuple):
    """A list's filters; "" leaves a field open. `flow` is a slug."""

    flow: str = ""
    state: str = ""
    fingerprint: str = ""


class Group(NamedTuple):
    """Dead letters of one flow that failed the same way."""

    newest: DeadLetter
    letters: int  # how many


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


def listed(workspace_id: int, wanted: Wanted) -> QuerySet[DeadLetter]:
    """The dead letters that the filters leave, each with its flow and version, without payloads."""
    found = DeadLetter.objects.filter(flow__workspace_id=workspace_id)
    if wanted.flow:
        found = found.filter(flow__slug=wanted.flow)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.fingerprint:
        found = found.filter(fingerprint=wanted.fingerprint)
    return found.select_related("flow", "version").defer("event", "version__document")


def groups(workspace_id: int, wanted: Wanted) -> list[Group]:
    """Groups of the same failure, the one that grew last first. Two queries."""
    found = (
        listed(workspace_id, wanted)
        .values("flow_id", "node", "fingerprint")
        .annotate(count=Count("id"), last=Max("id"))
        .order_by("-last")[:_GROUPS]
    )
    counts = {row["last"]: row["count"] for row in found}
    newest = listed(workspace_id, Wanted()).in_bulk(list(counts))
    return [Group(newest[last], count) for last, count in counts.items() if last in newest]


def open_ids(workspace_id: int, flow: str, fingerprint: str, limit: int) -> list[int]:
    """The oldest open letters of one group, in the order in which they died."""
    wanted = Wanted(flow, DeadLetter.State.OPEN, fingerprint)
    return list(listed(workspace_id, wanted).order_by("id").values_list("id", flat=True)[:limit])


def find(workspace_id: int, dead_letter_id: int) -> DeadLetter | None:
    """One dead letter whole, with its flow and version."""
    found = DeadLetter.objects.filter(pk=dead_letter_id, flow__workspace_id=workspace_id)
    return found.select_related("flow", "version").first()


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
