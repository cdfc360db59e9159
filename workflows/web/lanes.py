"""Which lanes of a flow are blocked, by whom, and how does an operator move them on?"""

from datetime import UTC, datetime
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from workflows.models import Flow
from workflows.storage import dbclock, lanes
from workflows.storage.lanes import Blocked, Head
from workflows.tasks.lanes import Act, NotNow, set_aside
from workflows.web.access import Here, flow_or_404, member
from workflows.web.context import flow_page
from workflows.web.paging import read_number

_ON_A_PAGE = 50
_DONE = {
    "park": "Parked: it is a dead letter now, and the next one goes on.",
    "skip": "Skipped: it ended as filtered, and the next one goes on.",
}


class Line(NamedTuple):
    """A blocked lane as the page shows it; from `event_id` on it is about the head."""

    number: int
    node: str
    key: str
    waiting: int
    waits_since: datetime
    event_id: str
    trace: str
    word: str
    says: str
    at: datetime | None  # when it began, or when it goes on; None: its turn has come
    is_busy: bool


@require_GET
@member("viewer")
def lane_list(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """The lanes in which events wait for the one before them, the longest blocked first."""
    flow = flow_or_404(here, slug)
    after = read_number(request.GET.get("after", ""))
    found = lanes.blocked(flow.pk, after or 0, _ON_A_PAGE)
    names, now = _names(flow), dbclock.now()
    context = {
        "lines": [_line(one, names, now) for one in found.lanes],
        "after": after,
        "further": found.lanes[-1].head.number if found.is_more and found.lanes else None,
        "is_whole": found.is_whole,
        "looked_at": lanes.MOST_ROWS,
    }
    return flow_page(request, here, flow, "lanes", "Waiting in turn", context)


@require_POST
@member("operator")
def park(request: HttpRequest, here: Here, slug: str, number: int) -> HttpResponse:
    """The head becomes a dead letter, to be redriven later."""
    return _set_aside(request, here, slug, number, "park")


@require_POST
@member("operator")
def skip(request: HttpRequest, here: Here, slug: str, number: int) -> HttpResponse:
    """The head ends as filtered."""
    return _set_aside(request, here, slug, number, "skip")


def _set_aside(request: HttpRequest, here: Here, slug: str, number: int, act: Act) -> HttpResponse:
    flow = flow_or_404(here, slug)
    try:
        set_aside(flow.pk, number, act, request.user.get_username())
    except NotNow as problem:
        messages.info(request, str(problem))
    else:
        messages.success(request, _DONE[act])
    return redirect("lanes", here.workspace, slug)


def _names(flow: Flow) -> dict[str, str]:
    nodes = flow.published.document["nodes"] if flow.published else ()
    return {node["id"]: node.get("name") or node["id"] for node in nodes}


def _line(blocked: Blocked, names: dict[str, str], now: float) -> Line:
    head = blocked.head
    is_busy = head.under_way_since is not None
    at = head.under_way_since or (head.due_at if head.due_at > now else None)
    return Line(
        head.number,
        names.get(head.node, head.node),
        head.lane,
        blocked.waiting,
        _moment(blocked.waits_since),
        blocked.event_id,
        str(head.ref),
        _word(head),
        head.says,
        None if at is None else _moment(at),
        is_busy,
    )


def _word(head: Head) -> str:
    if head.under_way_since is not None:
        return "Under way"
    if head.is_held:
        return "Held"
    if head.failure is not None:
        return f"Attempt {head.attempt} failed"
    return "Waits to be called"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
