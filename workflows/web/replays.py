"""Replays: choose events and count them, begin, watch, stop, and compare."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workflows.models import Flow, Replay
from workflows.storage import comparisons, flowrows, keyset, replays
from workflows.storage.keyset import Beyond
from workflows.storage.replays import Refused
from workflows.tasks.replay import ask
from workflows.web import replayrows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, page, part, wants
from workflows.web.paging import read_number
from workflows.web.replayform import (
    MODES,
    ReplayForm,
    channels_for,
    first_values,
    producers_of,
    with_producer,
)

_ON_A_PAGE = 50
_FORM = "workflows/replays/new.html"
_NEED = "Modes in which effects happen need the role of operator: choose a shadow run, or ask one."


@require_GET
@member("viewer")
def replay_list(request: HttpRequest, here: Here) -> HttpResponse:
    """The replays of the workspace or of one flow, newest first."""
    before = read_number(request.GET.get("before", ""))
    slug = asked(request, "flow")
    flow = flowrows.find(here.workspace_id, slug) if slug else None
    found = replays.listed(here.workspace_id, slug)
    rows, more = keyset.page(found, "id", Beyond(before), _ON_A_PAGE, newest_first=True)
    context = {
        "lines": [replayrows.line(row) for row in rows],
        "older": rows[-1].pk if more else None,
        "flow": flow,
        "new_url": _new_url(here, flow) if here.can_edit else "",
    }
    template = "workflows/replays/list.html"
    return page(request, here, template, context, section="traces", crumbs=[Crumb("Replays")])


@require_http_methods(["GET", "POST"])
@member("editor")
def new(request: HttpRequest, here: Here) -> HttpResponse:
    """Choose events and a version; with `?part=count`, only how many there are."""
    values = request.POST if request.method == "POST" else request.GET
    flow = _flow(here, values.get("flow", ""), values.get("channel", ""))
    if flow is None:
        messages.info(request, "Draw a flow first: a replay runs events through one.")
        return redirect("flows", here.workspace)
    data = request.POST if request.method == "POST" else first_values(request.GET, flow)
    producers = producers_of(flow, str(data.get("version", "")))
    form = ReplayForm(with_producer(data, producers))
    context = _form_context(here, flow, form, values)
    context |= {"producers": producers, **_counted(here, flow, form, values)}
    if wants(request, "count"):
        return part(request, here, _FORM, "count", {**context, "anew": True})
    if request.method == "POST" and context["counted"]:
        return _begin(request, here, flow, form)
    crumbs = [Crumb("Replays", _list_url(here)), Crumb("New replay")]
    status = 422 if request.method == "POST" else 200
    return page(request, here, _FORM, context, section="traces", crumbs=crumbs, status=status)


def _flow(here: Here, slug: str, channel: str) -> Flow | None:
    """The flow that is named, or one that reads the channel, or any."""
    if slug:
        found = flowrows.find(here.workspace_id, slug)
        if found is None:
            raise Http404(NOT_HERE)
        return found
    flows = flowrows.of_workspace(here.workspace_id)
    reading = flows.filter(subscription__channel__slug=channel).first() if channel else None
    first = reading or flows.exclude(published=None).first() or flows.first()
    return first and flowrows.find(here.workspace_id, first.slug)


def _form_context(here: Here, flow: Flow, form: ReplayForm, values: Any) -> dict[str, Any]:
    return {
        "form": form,
        "flow": flow,
        "flows": list(flowrows.of_workspace(here.workspace_id)),
        "channels": channels_for(flow),
        "modes": MODES,
        "named": [(name, one) for name in ("trace", "event") for one in values.getlist(name)],
    }


def _counted(here: Here, flow: Flow, form: ReplayForm, values: Any) -> dict[str, Any]:
    """What the form means: `counted`, or the reason why it means nothing."""
    if not form.is_valid():
        return {"counted": None, "says": "Mend what is marked."}
    wish = None
    try:
        wish = form.wish(here.workspace_id, here.user_id, values)
        counted = replays.prepare(flow, wish)
    except Refused as refused:
        return {"counted": None, "says": str(refused), "problems": refused.problems}
    effects = wish.mode != Replay.Mode.SHADOW
    return {
        "counted": counted,
        "exact": not counted.uncounted,
        "effects": effects,
        "says": _NEED if effects and not here.can_operate else "",
    }


def _begin(request: HttpRequest, here: Here, flow: Flow, form: ReplayForm) -> HttpResponse:
    wish = form.wish(here.workspace_id, here.user_id, request.POST)
    if wish.mode != Replay.Mode.SHADOW and not here.can_operate:
        raise PermissionDenied(_NEED)
    try:
        begun = replays.start(flow, wish)
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect(_new_url(here, flow))
    ask([begun.pk])
    return redirect("replay", here.workspace, begun.pk)


@require_GET
@member("viewer")
def replay(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """How it goes; and of a shadow run, how it compares with what happened live."""
    row = _find(here, number)
    context: dict[str, Any] = {"line": replayrows.line(row)}
    if row.mode == Replay.Mode.SHADOW:
        context |= _comparison(request, row)
    template = "workflows/replays/replay.html"
    if wants(request, "progress"):
        return part(request, here, template, "progress", context)
    crumbs = [Crumb("Replays", _list_url(here)), Crumb(str(number))]
    return page(request, here, template, context, section="traces", crumbs=crumbs)


def _comparison(request: HttpRequest, row: Replay) -> dict[str, Any]:
    kind, node = asked(request, "kind"), asked(request, "node")
    before = read_number(request.GET.get("before", ""))
    found = comparisons.listed(row, kind, node)
    rows, more = keyset.page(found, "id", Beyond(before), _ON_A_PAGE, newest_first=True)
    return {
        "groups": replayrows.alike(row),
        "differences": replayrows.named(row, rows),
        "older": rows[-1].pk if more else None,
        "kind": kind,
        "node": node,
    }


@require_GET
@member("viewer")
def difference(request: HttpRequest, here: Here, number: int, which: int) -> HttpResponse:
    """One event, live and in the shadow, node by node."""
    row = _find(here, number)
    found = comparisons.listed(row).filter(pk=which).first()
    if found is None:
        raise Http404(NOT_HERE)
    context = {
        "line": replayrows.line(row),
        "difference": found,
        "sides": replayrows.sides(row, found),
    }
    crumbs = [
        Crumb("Replays", _list_url(here)),
        Crumb(str(number), reverse("replay", args=[here.workspace, number])),
        Crumb(found.event_id),
    ]
    template = "workflows/replays/difference.html"
    return page(request, here, template, context, section="traces", crumbs=crumbs)


@require_POST
@member("editor")
def cancel(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Take no more events."""
    if replays.cancel(_find(here, number).pk):
        messages.success(request, "Cancelled. What it had taken goes on to its end.")
    else:
        messages.info(request, "It had ended already.")
    return redirect("replay", here.workspace, number)


def _find(here: Here, number: int) -> Replay:
    found = replays.find(here.workspace_id, number)
    if found is None:
        raise Http404(NOT_HERE)
    return found


def _new_url(here: Here, flow: Flow | None) -> str:
    address = reverse("new_replay", args=[here.workspace])
    return f"{address}?flow={flow.slug}" if flow else address


def _list_url(here: Here) -> str:
    return reverse("replays", args=[here.workspace])
