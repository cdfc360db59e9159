"""Dead letters: what failed, why, and what becomes of it."""

import orjson
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workflows.models import DeadLetter
from workflows.storage import deadgroups, deadletters, flowrows, redrives, traces
from workflows.storage.deadgroups import Wanted
from workflows.storage.parts import TraceRef
from workflows.tasks.edit import Refused, edited
from workflows.tasks.redrive import ask
from workflows.web import deadrows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, page
from workflows.web.jsonview import coloured, pretty
from workflows.web.steps import todo_for

_ON_A_PAGE = 50
_CHOICES = 200  # nodes and kinds that a filter offers


class Edit(forms.Form):
    payload = forms.CharField(
        max_length=1_000_000, strip=False, error_messages={"required": "Write JSON; null is JSON."}
    )
    version = forms.ChoiceField(choices=[("published", "published"), ("failed", "failed")])


@require_GET
@member("viewer")
def letter_list(request: HttpRequest, here: Here) -> HttpResponse:
    """Groups of the same failure; with a fingerprint, the letters of one group."""
    wanted = deadrows.read_wanted(request.GET)
    if wanted.fingerprint:
        return _group(request, here, wanted)
    before = request.GET.get("before", "")
    groups, older = deadrows.groups(here.workspace_id, wanted, before, _ON_A_PAGE)
    nodes, kinds = deadgroups.names(here.workspace_id, wanted.flow, _CHOICES)
    total = redrives.count(here.workspace_id, wanted)
    context = {
        "wanted": wanted,
        "since": request.GET.get("since", ""),
        "is_filtered": any(wanted),
        "periods": [(value, word) for value, (word, _) in deadrows.PERIODS.items()],
        "flows": flowrows.choices(here.workspace_id),
        "nodes": nodes,
        "kinds": kinds,
        "groups": groups,
        "older": older,
        "total": total,
        "query": deadrows.query_of(wanted),
    }
    template = "workflows/dead_letters/list.html"
    crumbs = [Crumb("Dead letters")]
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


def _group(request: HttpRequest, here: Here, wanted: Wanted) -> HttpResponse:
    """The letters that failed in the same way."""
    state = request.GET.get("state") or DeadLetter.State.OPEN
    state = state if state in DeadLetter.State.values else ""
    asked = deadletters.Wanted(wanted.flow, state, wanted.fingerprint)
    before = request.GET.get("before", "")
    found, older = deadrows.letters(here.workspace_id, asked, before, _ON_A_PAGE)
    flow = flowrows.find(here.workspace_id, wanted.flow)
    group = flow and deadgroups.named(flow.pk, wanted.fingerprint)
    context = {
        "wanted": asked,
        "flow": flow,
        "group": group,
        "first_at": deadrows.at(group.first_at) if group else None,
        "states": DeadLetter.State.choices,
        "letters": found,
        "older": older,
        "query": deadrows.query_of(wanted),
    }
    crumbs = [Crumb("Dead letters", list_url(here)), Crumb("The same failure")]
    template = "workflows/dead_letters/group.html"
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_GET
@member("viewer")
def letter(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """The event as it reached the node, the failure, and what can be done."""
    row = _find(here, number)
    line = deadrows.letter(row)
    again = traces.parse_ref(line.redriven_as)
    edit = row.redrive and row.redrive.edit
    context = {
        "flow": row.flow,
        "row": row,
        "letter": line,
        "answers": deadrows.answers(row),
        "event": coloured(orjson.loads(bytes(row.event))),
        "edited": coloured(orjson.loads(bytes(edit))) if edit else None,
        "again": traces.find(again) if again else None,
        "closed_at": None if row.closed_at is None else deadrows.at(row.closed_at),
        "todo": todo_for(line.kind),
        "trace": str(TraceRef(row.subscription_id, row.partition, row.offset, row.run)),
    }
    crumbs = [Crumb("Dead letters", list_url(here)), Crumb(str(number))]
    template = "workflows/dead_letters/letter.html"
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_POST
@member("operator")
def redrive(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Have it run again on the version that is published now."""
    return _redrive(request, here, _find(here, number), None, False)


@require_http_methods(["GET", "POST"])
@member("operator")
def edit(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Have it run again with other data, or on the version that it failed on."""
    row = _find(here, number)
    event = orjson.loads(bytes(row.event))
    first = {"payload": pretty(event.get("data")), "version": "published"}
    form = Edit(request.POST or None, initial=first)
    if form.is_valid():
        try:
            data = orjson.loads(form.cleaned_data["payload"])
            changed = edited(bytes(row.event), data)
        except orjson.JSONDecodeError as error:
            form.add_error("payload", f"This isn't valid JSON: {error}.")
        except Refused as refused:
            form.add_error("payload", str(refused))
        else:
            as_failed = form.cleaned_data["version"] == "failed"
            return _redrive(request, here, row, changed, as_failed)
    context = {"row": row, "letter": deadrows.letter(row), "form": form, "event": event}
    address = reverse("dead_letter", args=[here.workspace, number])
    crumbs = [Crumb("Dead letters", list_url(here)), Crumb(str(number), address), Crumb("Edit")]
    template, status = "workflows/dead_letters/edit.html", 422 if form.errors else 200
    return page(
        request, here, template, context, section="dead_letters", crumbs=crumbs, status=status
    )


def _redrive(
    request: HttpRequest, here: Here, row: DeadLetter, changed: bytes | None, as_failed: bool
) -> HttpResponse:
    if row.state != DeadLetter.State.OPEN:
        messages.info(request, f"Nothing to do: it is {row.get_state_display().lower()} already.")
    else:
        order = redrives.Order(Wanted(), (row.pk,), edit=changed, as_failed=as_failed)
        run = redrives.start(here.workspace_id, request.user.get_username(), order)
        ask([run.pk])
        messages.success(request, "It runs again. Its new trace shows how it goes.")
    return redirect("dead_letter", here.workspace, row.pk)


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


def list_url(here: Here) -> str:
    return reverse("dead_letters", args=[here.workspace])


def _find(here: Here, number: int) -> DeadLetter:
    found = deadletters.find(here.workspace_id, number)
    if found is None:
        raise Http404(NOT_HERE)
    return found
