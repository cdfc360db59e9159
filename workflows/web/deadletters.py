"""Dead letters: what failed, why, and what becomes of it."""

import orjson
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from workflows.models import DeadLetter, Redrive
from workflows.storage import deadletters, flowrows, redrives
from workflows.storage.deadgroups import Wanted
from workflows.storage.parts import TraceRef
from workflows.tasks.redrive import ask
from workflows.web import deadrows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, page
from workflows.web.jsonview import coloured
from workflows.web.paging import read_number
from workflows.web.steps import todo_for

_ON_A_PAGE = 50
_AT_ONCE = 500  # letters of a group that one click takes up


@require_GET
@member("viewer")
def letter_list(request: HttpRequest, here: Here) -> HttpResponse:
    """Groups of the same failure; with a fingerprint, the letters of one group."""
    state = asked(request, "state") or DeadLetter.State.OPEN
    if state not in DeadLetter.State.values:
        state = ""
    wanted = deadletters.Wanted(asked(request, "flow"), state, asked(request, "fingerprint"))
    context = {
        "wanted": wanted,
        "flows": list(flowrows.of_workspace(here.workspace_id)),
        "states": DeadLetter.State.choices,
        "at_once": _AT_ONCE,
    }
    crumbs = [Crumb("Dead letters")]
    if wanted.fingerprint:
        before = read_number(request.GET.get("before", ""))
        found, older = deadrows.letters(here.workspace_id, wanted, before, _ON_A_PAGE)
        context |= {"letters": found, "older": older}
        crumbs = [Crumb("Dead letters", _list_url(here)), Crumb("The same failure")]
        template = "workflows/dead_letters/group.html"
    else:
        context |= {"groups": deadrows.groups(here.workspace_id, Wanted(flow=wanted.flow))}
        template = "workflows/dead_letters/list.html"
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_GET
@member("viewer")
def letter(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """The event as it reached the node, the failure, and what can be done."""
    row = _find(here, number)
    line = deadrows.letter(row)
    failure = row.failure if isinstance(row.failure, dict) else {}
    context = {
        "flow": row.flow,
        "row": row,
        "letter": line,
        "event": coloured(orjson.loads(bytes(row.event))),
        "detail": coloured(failure["detail"]) if failure.get("detail") is not None else None,
        "todo": todo_for(line.kind),
        "trace": str(TraceRef(row.subscription_id, row.partition, row.offset, row.run)),
    }
    crumbs = [Crumb("Dead letters", _list_url(here)), Crumb(str(number))]
    template = "workflows/dead_letters/letter.html"
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_POST
@member("operator")
def redrive(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Have it run again on the version that is published now."""
    row = _find(here, number)
    if row.state != DeadLetter.State.OPEN:
        messages.info(request, f"Nothing to do: it is {row.get_state_display().lower()} already.")
    else:
        _begin(request, here, redrives.Order(Wanted(), (row.pk,)))
        messages.success(request, "It runs again. Its trace shows how it goes.")
    return redirect("dead_letter", here.workspace, number)


@require_POST
@member("operator")
def discard(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Close it for good without running it."""
    row = _find(here, number)
    if deadletters.discard([row.pk], request.user.get_username()):
        messages.success(request, "Discarded.")
    else:
        messages.info(request, "It wasn't open any more.")
    return redirect("dead_letter", here.workspace, number)


@require_POST
@member("operator")
def redrive_group(request: HttpRequest, here: Here, slug: str, fingerprint: str) -> HttpResponse:
    """Have a group's open letters run again, the oldest first."""
    if flowrows.flow_id_of(here.workspace_id, slug) is None:
        raise Http404(NOT_HERE)
    order = redrives.Order(Wanted(flow=slug, fingerprint=fingerprint))
    messages.success(request, f"Asked for {_begin(request, here, order).total} redrives.")
    return redirect(f"{_list_url(here)}?flow={slug}")


def _begin(request: HttpRequest, here: Here, order: redrives.Order) -> Redrive:
    run = redrives.start(here.workspace_id, request.user.get_username(), order)
    ask([run.pk])
    return run


def _find(here: Here, number: int) -> DeadLetter:
    found = deadletters.find(here.workspace_id, number)
    if found is None:
        raise Http404(NOT_HERE)
    return found


def _list_url(here: Here) -> str:
    return reverse("dead_letters", args=[here.workspace])
