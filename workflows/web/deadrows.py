"""How do lists show dead letters? Groups of the same failure, and the letters of one."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from workflows.models import DeadLetter
from workflows.storage import deadgroups, deadletters, keyset
from workflows.storage.deadgroups import Group
from workflows.storage.deadgroups import Wanted as WantedGroups
from workflows.storage.deadletters import Wanted
from workflows.storage.keyset import Beyond


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


def groups(workspace_id: int, wanted: WantedGroups) -> list[tuple[Group, datetime]]:
    """The groups, the one that grew last first, each with the moment when it did."""
    found, _ = deadgroups.page(workspace_id, wanted, None, 200)
    return [(group, datetime.fromtimestamp(group.newest_at, UTC)) for group in found]


def letters(
    workspace_id: int, wanted: Wanted, before: int | None, limit: int
) -> tuple[list[Letter], int | None]:
    """The newest letters of one group, and the id before which the next page begins."""
    found = deadletters.listed(workspace_id, wanted)
    rows, is_more = keyset.page(found, "id", Beyond(before), limit, newest_first=True)
    return [letter(row) for row in rows], rows[-1].pk if is_more else None


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
