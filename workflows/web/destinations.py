"""Whom do flows call, how fast may they, what is down, and trying it now."""

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from workflows.engine.limits import Limits
from workflows.storage import dbclock
from workflows.storage import destinations as kept
from workflows.storage.destinations import Destination
from workflows.tasks.waker import ask_to_fire
from workflows.web.access import Here, member
from workflows.web.settings import settings_page

_NO_NAME = "Write an address such as https://api.example.org, or mail, or celery:connection."


class NewLimits(forms.Form):
    destination = forms.CharField(
        max_length=2_000, error_messages={"required": "Say which destination."}
    )
    at_once = forms.IntegerField(min_value=0, max_value=1_000, required=False)
    per_second = forms.FloatField(min_value=0, max_value=10_000, required=False)

    def clean_destination(self) -> str:
        found = kept.normal(self.cleaned_data["destination"])
        if found is None:
            raise forms.ValidationError(_NO_NAME)
        return found


class Line(NamedTuple):
    """A destination as pages show it. Moments are None while it isn't down."""

    name: str
    host: str  # the part of its name that people call it by
    at_once: int
    per_second: str  # "" without one
    waiting: int
    opened_at: datetime | None
    retry_at: datetime | None
    is_due: bool  # the next call may try it
    error: str


class Banner(NamedTuple):
    lines: list[Line]
    is_whole: bool  # else `waiting` is the least that there are


def banner(workspace_id: int, flow_id: int) -> Banner | None:
    """What is down that calls of a flow wait for; None when nothing is."""
    found = kept.down_for(workspace_id, flow_id)
    now = dbclock.now()
    lines = [_line(one, now) for one in found.destinations]
    return Banner(lines, found.is_whole) if lines else None


@require_http_methods(["GET", "POST"])
@member("viewer")
def destinations(request: HttpRequest, here: Here) -> HttpResponse:
    """What is limited, down or waited for; an operator sets limits."""
    if request.method == "POST" and not here.can_operate:
        raise PermissionDenied("Setting limits needs the role of operator: ask an owner for it.")
    form = NewLimits(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        limits = Limits(at_once=values["at_once"] or 0, per_second=values["per_second"] or 0.0)
        kept.limit(here.workspace_id, values["destination"], limits)
        word = "Limited" if limits else "No limits any more for"
        messages.success(request, f"{word} {values['destination']}.")
        return redirect("destinations", here.workspace)
    found, now = kept.of_workspace(here.workspace_id), dbclock.now()
    context: dict[str, object] = {
        "lines": [_line(one, now) for one in found.destinations],
        "is_whole": found.is_whole,
        "counted": kept.MOST_COUNTED,
        "form": form,
    }
    return settings_page(request, here, "destinations", "Destinations", context, bool(form.errors))


@require_POST
@member("operator")
def try_now(request: HttpRequest, here: Here) -> HttpResponse:
    """Let one call try a destination that is down."""
    name = request.POST.get("destination", "").replace("\x00", "")
    if kept.try_now(here.workspace_id, name):
        ask_to_fire()
        messages.success(request, "The next call tries it now; if it is answered, the rest follow.")
    else:
        messages.info(request, "It isn't down any more: calls go out as usual.")
    return redirect("destinations", here.workspace)


def _line(one: Destination, now: float) -> Line:
    is_down, is_due = one.opened_at is not None, one.retry_at <= now
    return Line(
        one.destination,
        urlsplit(one.destination).netloc or one.destination,
        one.at_once,
        f"{one.per_second:,g}" if one.per_second else "",
        one.waiting,
        None if one.opened_at is None else datetime.fromtimestamp(one.opened_at, UTC),
        datetime.fromtimestamp(one.retry_at, UTC) if is_down and not is_due else None,
        is_down and is_due,
        one.error,
    )
