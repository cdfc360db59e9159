"""Which runs over dead letters were asked for, and what is to become of which letters?

A run is a row, so it is kept as soon as it is written; `storage.redrivework` is how it is done.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet

from workflows.models import DeadLetter, Redrive
from workflows.storage import deadgroups, deadletters, sql
from workflows.storage.deadgroups import Wanted

MOST_GROUPS = 1_000  # in one run
MOST_LETTERS = 1_000  # that are named one by one
FASTEST = 1_000.0  # letters a second


class TooMany(Exception):
    """The filter leaves more groups than one run takes."""


class Order(NamedTuple):
    """What somebody wants done. `letters` name them one by one; else `wanted` chooses groups."""

    wanted: Wanted
    letters: tuple[int, ...] = ()
    act: str = "redrive"
    edit: bytes | None = None
    as_failed: bool = False
    rate: float = 0.0
    stop_after: int = 0


class Count(NamedTuple):
    groups: int
    letters: int


def count(workspace_id: int, wanted: Wanted, letters: Sequence[int] = ()) -> Count:
    """How many open letters an order would take up, and in how many groups they are."""
    if letters:
        found = list(_open(workspace_id, letters).values_list("flow_id", "fingerprint"))
        return Count(len(set(found)), len(found))
    groups, total = deadgroups.totals(workspace_id, wanted)
    return Count(groups, deadgroups.count_since(workspace_id, wanted) if wanted.since else total)


def _open(workspace_id: int, letters: Sequence[int]) -> QuerySet[DeadLetter]:
    state = DeadLetter.State.OPEN
    return DeadLetter.objects.filter(pk__in=letters, flow__workspace_id=workspace_id, state=state)


def start(workspace_id: int, by: str, order: Order) -> Redrive:
    """Write the run down; workers find it. Letters that aren't open, or aren't of the workspace,
    are left out. Raises `TooMany`."""
    targets: list[tuple[int, str, int]] = []
    letters: list[int] = []
    if order.letters:
        letters = sorted(_open(workspace_id, order.letters).values_list("pk", flat=True))
    else:
        targets = deadgroups.some(workspace_id, order.wanted, MOST_GROUPS + 1)
    if len(targets) > MOST_GROUPS:
        raise TooMany
    now = sql.database_now()
    return Redrive.objects.create(
        workspace_id=workspace_id,
        act=order.act,
        by=by[:150],
        wanted={name: value for name, value in order.wanted._asdict().items() if value},
        targets=[target[:2] for target in targets],
        letters=letters,
        edit=order.edit,
        as_failed=order.as_failed,
        rate=min(order.rate, FASTEST),
        stop_after=order.stop_after,
        total=count(workspace_id, order.wanted).letters if targets else len(letters),
        bound=deadletters.newest_id(),
        since=order.wanted.since,
        due_at=now,
        begun_at=now,
    )


def listed(workspace_id: int) -> QuerySet[Redrive]:
    """The runs of a workspace."""
    return Redrive.objects.filter(workspace_id=workspace_id).defer("targets", "letters", "edit")


def find(workspace_id: int, run_id: int) -> Redrive | None:
    return listed(workspace_id).filter(pk=run_id).first()


def cancel(workspace_id: int, run_id: int) -> bool:
    """Take up no more letters; False when it wasn't running."""
    return bool(
        sql.execute(
            "UPDATE workflows_redrive SET state = 'cancelled'"
            " WHERE id = %s AND workspace_id = %s AND state = 'running'",
            (run_id, workspace_id),
        )
    )
