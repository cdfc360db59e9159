"""How do pages show dead letters, their groups, and runs over them?"""

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.safestring import SafeString

from workflows.models import DeadLetter, Redrive
from workflows.storage import deadgroups, deadletters, deadpages
from workflows.storage.deadgroups import Wanted
from workflows.storage.pages import Place
from workflows.storage.parts import TraceRef
from workflows.web.jsonview import coloured
from workflows.web.paging import read_bounds, write_bounds

PERIODS = {"1h": ("Last hour", 3_600), "24h": ("Last day", 86_400), "7d": ("Last week", 604_800)}


class Group(NamedTuple):
    """Open dead letters of one flow that failed in the same way, as the list shows them."""

    row: deadgroups.Group
    first_at: datetime
    newest_at: datetime


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
    redriven_as: str  # the trace that came of it; "" when none did
    outcome: str


class Answer(NamedTuple):
    """What one attempt was answered."""

    number: int
    at: datetime
    kind: str
    message: str
    took_ms: float | None
    detail: SafeString | None


class Run(NamedTuple):
    """A run over dead letters, with the shares of its bar in percent."""

    row: Redrive
    begun_at: datetime
    ended_at: datetime | None
    under_way: int
    left: int
    ok_width: float
    failed_width: float
    running_width: float

    @property
    def failed_x(self) -> float:
        return self.ok_width

    @property
    def running_x(self) -> float:
        return self.ok_width + self.failed_width


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def read_wanted(asked: QueryDict) -> Wanted:
    """The filter that an address or a form names. `since` is a period, or Unix seconds."""
    names = ("flow", "node", "kind", "fingerprint", "since", "q")
    texts = {name: str(asked.get(name, "")).replace("\x00", "").strip()[:200] for name in names}
    since, text = texts.pop("since"), texts.pop("q")
    moment = 0.0
    if since in PERIODS:
        moment = time.time() - PERIODS[since][1]
    elif since.isascii() and since.replace(".", "", 1).isdigit() and len(since) < 20:
        moment = float(since)
    return Wanted(**texts, since=moment, text=text)


def query_of(wanted: Wanted) -> str:
    """The filter as the query of an address."""
    values = {**wanted._asdict(), "q": wanted.text, "text": ""}
    return urlencode({name: value for name, value in values.items() if value})


def groups(
    workspace_id: int, wanted: Wanted, before: str, limit: int
) -> tuple[list[Group], str | None]:
    """A page of groups, the one that grew last first, and where the next one begins."""
    beyond = deadgroups.beyond(read_bounds(before))
    found, is_more = deadgroups.page(workspace_id, wanted, beyond, limit)
    shown = [Group(row, at(row.first_at), at(row.newest_at)) for row in found]
    return shown, write_bounds(deadgroups.bounds(found[-1])) if is_more else None


def letters(
    workspace_id: int, wanted: deadletters.Wanted, before: str, limit: int
) -> tuple[list[Letter], str]:
    """The newest letters that the filters leave, and the cursor of the page after this one."""
    rows, around = deadpages.page(workspace_id, wanted, Place(read_bounds(before)), limit)
    return [letter(row) for row in rows], write_bounds(around.last or {})


def letter(row: DeadLetter) -> Letter:
    failure: dict[str, Any] = row.failure if isinstance(row.failure, dict) else {}
    again = TraceRef(row.subscription_id, row.partition, row.offset, row.rerun or 0)
    return Letter(
        row.pk,
        row.node,
        str(failure.get("kind", "")),
        str(failure.get("message", "")),
        row.event_id,
        row.attempts,
        row.state,
        at(row.dead_at),
        "" if row.rerun is None else str(again),
        row.outcome,
    )


def answers(row: DeadLetter) -> list[Answer]:
    """What each attempt at a letter's event was answered, in order."""
    return [
        Answer(
            one.number,
            at(one.at),
            one.kind,
            one.message,
            one.took_ms,
            None if one.detail is None else coloured(one.detail),
        )
        for one in deadletters.attempts(row)
    ]


def run(row: Redrive) -> Run:
    """A run with what its bar shows. Discarded letters count as ended."""
    whole = max(row.total, row.done + row.skipped, 1)
    ok = row.done if row.act == Redrive.Act.DISCARD else row.ok
    under_way = row.done - ok - row.failed
    return Run(
        row,
        at(row.begun_at),
        None if row.ended_at is None else at(row.ended_at),
        under_way,
        max(0, row.total - row.done - row.skipped),
        100 * ok / whole,
        100 * row.failed / whole,
        100 * under_way / whole,
    )
