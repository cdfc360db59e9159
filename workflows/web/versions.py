"""Which versions of a flow were published, what did each change, and how does one go back?"""

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from workflows.engine.flowfile import diff
from workflows.models import Flow, FlowVersion
from workflows.storage import flowrows, publishing, removals, versions
from workflows.web.access import NOT_HERE, Here, flow_or_404, member
from workflows.web.context import flow_page
from workflows.web.paging import read_number

_ON_A_PAGE = 20
_CHOICES = {
    "unread": {"finish": "Finish them on the version that runs now", "expire": "Expire them"},
    "on_removed": removals.CHOICES,
}


class Change(NamedTuple):
    """One line of what changed. `kind`: ins, del or "" for an alteration."""

    kind: str
    text: str


class Row(NamedTuple):
    """A version (None: the draft) with what it changed against the one before it."""

    version: FlowVersion | None
    is_running: bool
    changes: list[Change]


@require_GET
@member("viewer")
def version_list(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """All versions, newest first, each with what it changed."""
    flow = flow_or_404(here, slug)
    return _list_page(request, here, flow)


@require_POST
@member("editor")
def publish_again(request: HttpRequest, here: Here, slug: str, number: int) -> HttpResponse:
    """Let an older version's document run again, as a new version. The draft stays as it is."""
    flow = flow_or_404(here, slug)
    old = versions.find(flow.pk, number)
    if old is None:
        raise Http404(NOT_HERE)
    sent = {name: request.POST.get(name, "") for name in _CHOICES}
    given = {name: value for name, value in sent.items() if value in _CHOICES[name]}
    note = f"Version {number} again"
    try:
        done = publishing.publish(flow, old.document, user_id=here.user_id, note=note, **given)
    except publishing.Refused as refused:
        says = " ".join(problem.says for problem in refused.problems[:3])
        messages.error(request, f"Version {number} can't run any more. {says}")
    except publishing.Unread as left:
        question = {"number": number, "nodes": left.nodes, "field": left.field, "given": given}
        return _list_page(request, here, flow, question)
    else:
        messages.success(request, f"Version {number} runs again, as version {done.number}.")
    return redirect("versions", here.workspace, slug)


def _list_page(
    request: HttpRequest, here: Here, flow: Flow, question: dict[str, Any] | None = None
) -> HttpResponse:
    before = read_number(request.GET.get("before", ""))
    newest = versions.page(flow.pk, before, _ON_A_PAGE + 1)  # one more, to compare the last with
    rows = _rows(flow, newest, with_draft=before is None)
    context = {
        "rows": rows,
        "older": newest[_ON_A_PAGE - 1].number if len(newest) > _ON_A_PAGE else None,
        "question": question,
        "choices": _CHOICES[question["field"]] if question else {},
    }
    status = 409 if question else 200
    return flow_page(request, here, flow, "versions", "Versions", context, status)


def _rows(flow: Flow, newest: list[FlowVersion], with_draft: bool) -> list[Row]:
    rows = []
    if with_draft:
        before = newest[0].document if newest else {}
        changes = _changes(before, flowrows.draft(flow).document)
        if changes:
            rows.append(Row(None, False, changes))
    for index, version in enumerate(newest[:_ON_A_PAGE]):
        earlier = newest[index + 1].document if index + 1 < len(newest) else {}
        running = flow.published is not None and version.pk == flow.published.pk
        rows.append(Row(version, running, _changes(earlier, version.document)))
    return rows


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    kinds = {"+": "ins", "-": "del"}
    lines = diff(before, after)
    return [
        Change(kinds.get(line[0], ""), line)
        for line in lines
        if before or not line.startswith(("~ slug", "~ name"))
    ]
