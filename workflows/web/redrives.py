"""Runs over dead letters: count what a filter leaves, begin, watch, and stop."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workflows.models import Redrive
from workflows.storage import deadletters, keyset, redrives
from workflows.storage.keyset import Beyond
from workflows.tasks.redrive import ask
from workflows.web import deadrows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, page, part, wants
from workflows.web.deadletters import list_url
from workflows.web.paging import read_number

_ON_A_PAGE = 50
_OUTCOMES = ("running", "ok", "filtered", "failed")
_MANY = 20  # letters from which on a run is paced and careful unless somebody says otherwise
_TOO_MANY = f"There are more than {redrives.MOST_GROUPS:,} groups: narrow the filter first."


class Pace(forms.Form):
    version = forms.ChoiceField(choices=[("published", "published"), ("failed", "failed")])
    rate = forms.IntegerField(required=False, min_value=1, max_value=int(redrives.FASTEST))
    stop_after = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)


@require_http_methods(["GET", "POST"])
@member("operator")
def redrive_many(request: HttpRequest, here: Here) -> HttpResponse:
    """Say how many letters there are, and have them run again."""
    values, letters, count = _chosen(request, here)
    many = count.letters >= _MANY
    first = {"version": "published", "rate": 20 if many else None, "stop_after": 10 if many else 1}
    form = Pace(request.POST or None, initial=first)
    if form.is_valid():
        pace = form.cleaned_data
        order = redrives.Order(
            deadrows.read_wanted(values),
            letters,
            as_failed=pace["version"] == "failed",
            rate=float(pace["rate"] or 0),
            stop_after=pace["stop_after"] or 0,
        )
        return _begin(request, here, order)
    return _ask_first(request, here, "redrive", values, letters, count, form)


@require_http_methods(["GET", "POST"])
@member("operator")
def discard_many(request: HttpRequest, here: Here) -> HttpResponse:
    """Say how many letters there are, and close them."""
    values, letters, count = _chosen(request, here)
    if request.method == "POST":
        wanted = deadrows.read_wanted(values)
        return _begin(request, here, redrives.Order(wanted, letters, act="discard"))
    return _ask_first(request, here, "discard", values, letters, count, None)


@require_GET
@member("viewer")
def run_list(request: HttpRequest, here: Here) -> HttpResponse:
    """The runs over dead letters, newest first."""
    before = read_number(request.GET.get("before", ""))
    found = redrives.listed(here.workspace_id)
    rows, more = keyset.page(found, "id", Beyond(before), _ON_A_PAGE, newest_first=True)
    context = {
        "runs": [deadrows.run(row) for row in rows],
        "older": rows[-1].pk if more else None,
    }
    crumbs = [Crumb("Dead letters", list_url(here)), Crumb("Redrives")]
    template = "workflows/dead_letters/runs.html"
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_GET
@member("viewer")
def run(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """How a run goes, and what came of each letter."""
    row = _find(here, number)
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in _OUTCOMES else ""
    wanted = deadletters.Wanted(redrive=row.pk, outcome=outcome)
    before = request.GET.get("before", "")
    letters, older = deadrows.letters(here.workspace_id, wanted, before, _ON_A_PAGE)
    context = {
        "run": deadrows.run(row),
        "letters": letters,
        "older": older,
        "outcome": outcome,
        "outcomes": _OUTCOMES,
    }
    template = "workflows/dead_letters/run.html"
    if wants(request, "progress"):
        return part(request, here, template, "progress", context)
    crumbs = [
        Crumb("Dead letters", list_url(here)),
        Crumb("Redrives", reverse("redrives", args=[here.workspace])),
        Crumb(str(number)),
    ]
    return page(request, here, template, context, section="dead_letters", crumbs=crumbs)


@require_POST
@member("operator")
def cancel(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Take up no more letters."""
    if redrives.cancel(here.workspace_id, _find(here, number).pk):
        messages.success(request, "Cancelled. What had begun goes on to its end.")
    else:
        messages.info(request, "It wasn't running any more.")
    return redirect("redrive_run", here.workspace, number)


def _chosen(request: HttpRequest, here: Here) -> tuple[QueryDict, tuple[int, ...], redrives.Count]:
    """What the address or the form names, the letters among it, and how many are open."""
    values = request.POST if request.method == "POST" else request.GET
    numbers = (read_number(text) for text in values.getlist("id")[: redrives.MOST_LETTERS])
    letters = tuple(number for number in numbers if number)
    if "id" in values and not letters:  # never to be taken for a filter that leaves them all
        raise Http404(NOT_HERE)
    wanted = deadrows.read_wanted(values)
    return values, letters, redrives.count(here.workspace_id, wanted, letters)


def _begin(request: HttpRequest, here: Here, order: redrives.Order) -> HttpResponse:
    try:
        begun = redrives.start(here.workspace_id, request.user.get_username(), order)
    except redrives.TooMany:
        messages.error(request, _TOO_MANY)
        return redirect(f"{list_url(here)}?{deadrows.query_of(order.wanted)}")
    ask([begun.pk])
    return redirect("redrive_run", here.workspace, begun.pk)


def _ask_first(
    request: HttpRequest,
    here: Here,
    act: str,
    values: QueryDict,
    letters: tuple[int, ...],
    count: redrives.Count,
    form: forms.Form | None,
) -> HttpResponse:
    wanted = deadrows.read_wanted(values)
    kept = {**wanted._asdict(), "q": wanted.text, "text": ""}
    context = {
        "act": act,
        "wanted": wanted,
        "since": deadrows.at(wanted.since) if wanted.since else None,
        "hidden": [(name, value) for name, value in kept.items() if value],
        "letters": letters,
        "count": count,
        "form": form,
    }
    title = "Redrive" if act == "redrive" else "Discard"
    crumbs = [Crumb("Dead letters", list_url(here)), Crumb(title)]
    status = 422 if form is not None and form.errors else 200
    template = "workflows/dead_letters/many.html"
    return page(
        request, here, template, context, section="dead_letters", crumbs=crumbs, status=status
    )


def _find(here: Here, number: int) -> Redrive:
    found = redrives.find(here.workspace_id, number)
    if found is None:
        raise Http404(NOT_HERE)
    return found
