"""Where is my event? One line for each place where it is, or where it ended."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows.storage import whereabouts
from workflows.storage.fates import Place
from workflows.storage.sought import read_question
from workflows.storage.whereabouts import Found
from workflows.web.access import Here, member
from workflows.web.context import Crumb, page
from workflows.web.paging import read_bounds, write_bounds

_LONGEST = 1_200  # characters of a question: a long value, and what stands around it
_UNTIL = {"gone": "Repeats are recognised until", "retrying": "Next attempt"}


class Line(NamedTuple):
    """A place as the page shows it. `is_inner`: within the run that the line above it names."""

    state: str
    says: str
    url: str
    at: datetime | None
    until_word: str
    until: datetime | None
    is_soon: bool  # until then
    is_inner: bool


class Event(NamedTuple):
    """An event with its lines."""

    found: Found
    at: datetime
    lines: list[Line]


@require_GET
@member("viewer")
def where(request: HttpRequest, here: Here) -> HttpResponse:
    """Answers `?q=`: an id, a key, or parts with names."""
    text = request.GET.get("q", "").strip().replace("\x00", "")[:_LONGEST]
    context: dict[str, Any] = {"asked": text}
    before = read_bounds(request.GET.get("before", ""))
    if text:
        try:
            answer = whereabouts.answer(here.workspace_id, read_question(text), before or None)
        except whereabouts.Unanswerable as refused:
            return _page(request, here, {**context, "refused": str(refused)})
        context |= {
            "events": [
                Event(found, _moment(found.accepted_at), _lines(here, found.places))
                for found in answer.events
            ],
            "gone": _lines(here, answer.gone),
            "answer": answer,
            "older": write_bounds(answer.beyond or {}),
            "looked_since": None if answer.since is None else _moment(answer.since),
            "growing": [
                (index, _moment(index.since)) for index in answer.indexes if index.since is not None
            ],
            "most": whereabouts.MOST_EVENTS,
        }
    return _page(request, here, context)


def _page(request: HttpRequest, here: Here, context: dict[str, Any]) -> HttpResponse:
    crumbs = [Crumb("Events", reverse("events", args=[here.workspace])), Crumb("Where is it?")]
    return page(
        request, here, "workflows/where/where.html", context, section="events", crumbs=crumbs
    )


def _lines(here: Here, places: list[Place]) -> list[Line]:
    lines = []
    is_inner = False
    for place in places:
        if not place.flow or place.what in ("queued", "passed_by", "taken"):
            is_inner = False
        lines.append(
            Line(
                place.state,
                place.says,
                _url(here, place),
                None if place.at is None else _moment(place.at),
                _UNTIL.get(place.what, "Goes on"),
                None if place.until is None else _moment(place.until),
                place.what != "gone",
                is_inner,
            )
        )
        is_inner = is_inner or place.what == "taken"
    return lines


def _url(here: Here, place: Place) -> str:
    if place.follow:
        asked_for = urlencode({"q": f"id={place.follow}"})
        return f"{reverse('where', args=[here.workspace])}?{asked_for}"
    return reverse(place.link, args=[here.workspace, place.ref]) if place.link else ""


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
