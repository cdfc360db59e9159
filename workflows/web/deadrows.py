"""Which failures ended in dead letters? Groups of the same failure, and the letters of one."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Count, Max, QuerySet

from workflows.models import DeadLetter, Flow

_GROUPS = 200


class Wanted(NamedTuple):
    """Filters; `fingerprint` chooses one group of a flow."""

    flow: str = ""
    state: str = "open"
    fingerprint: str = ""


class Group(NamedTuple):
    """Dead letters of one flow that failed the same way."""

    flow: Flow
    node: str
    fingerprint: str
    letters: int  # how many
    newest: "Letter"


class Letter(NamedTuple):
    """A dead letter as lists show it."""

    id: int
    node: str
    kind: str
    message: str
    event_id: str
    attempts: int
    state: str
    at: datetime


def groups(workspace_id: int, wanted: Wanted) -> list[Group]:
    """The groups, the one that grew last first. A fixed number of queries."""
    found = list(
        _chosen(workspace_id, wanted)
        .values("flow_id", "node", "fingerprint")
        .annotate(count=Count("id"), last=Max("id"))
        .order_by("-last")[:_GROUPS]
    )
    letters = DeadLetter.objects.select_related("flow").in_bulk([row["last"] for row in found])
    return [
        Group(
            letters[row["last"]].flow,
            row["node"],
            row["fingerprint"],
            row["count"],
            letter(letters[row["last"]]),
        )
        for row in found
        if row["last"] in letters
    ]


def letters(
    workspace_id: int, wanted: Wanted, before: int | None, limit: int
) -> tuple[list[Letter], int | None]:
    """The newest letters of one group, and the id before which the next page begins."""
    found = _chosen(workspace_id, wanted).order_by("-id")
    if before is not None:
        found = found.filter(id__lt=before)
    rows = list(found.defer("event")[: limit + 1])
    older = rows[limit - 1].pk if len(rows) > limit else None
    return [letter(row) for row in rows[:limit]], older


def open_ids(workspace_id: int, wanted: Wanted, limit: int) -> list[int]:
    """The oldest open letters of one group, in the order in which they died."""
    found = _chosen(workspace_id, wanted._replace(state="open"))
    return list(found.order_by("id").values_list("id", flat=True)[:limit])


def letter(row: DeadLetter) -> Letter:
    failure: dict[str, Any] = row.failure if isinstance(row.failure, dict) else {}
    return Letter(
        row.pk,
        row.node,
        str(failure.get("kind", "")),
        str(failure.get("message", "")),
        row.event_id,
        row.attempts,
        row.state,
        datetime.fromtimestamp(row.dead_at, UTC),
    )


def _chosen(workspace_id: int, wanted: Wanted) -> QuerySet[DeadLetter]:
    found = DeadLetter.objects.filter(flow__workspace_id=workspace_id)
    if wanted.state in DeadLetter.State.values:
        found = found.filter(state=wanted.state)
    if wanted.flow:
        found = found.filter(flow__slug=wanted.flow)
    if wanted.fingerprint:
        found = found.filter(fingerprint=wanted.fingerprint)
    return found
