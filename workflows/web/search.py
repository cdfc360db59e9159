"""What does the search box find? Flows by name, events by id, traces by type, key or id."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from workflows.models import Channel, Flow
from workflows.storage import traces
from workflows.web import eventrows, tracerows
from workflows.web.access import Here, member
from workflows.web.context import Crumb, asked, page

_OF_A_KIND = 20


@require_GET
@member("viewer")
def search(request: HttpRequest, here: Here) -> HttpResponse:
    """Everything that fits; the number of a trace leads straight to it."""
    text = asked(request, "q")
    if _is_trace(here, text):
        return redirect("trace", here.workspace, text)
    flows = tracerows.flows_of(here.workspace_id)
    found = tracerows.lines(flows, tracerows.Wanted(text=text), {}, _OF_A_KIND) if text else None
    ids = Channel.objects.filter(workspace_id=here.workspace_id).values_list("pk", flat=True)
    context = {
        "text": text,
        "flows": _flows(here, text) if text else [],
        "traces": found.lines if found else [],
        "events": eventrows.by_id(list(ids), text, _OF_A_KIND) if text else [],
        "searched": tracerows.SEARCHED,
    }
    crumbs = [Crumb("Search")]
    return page(request, here, "workflows/search.html", context, section="", crumbs=crumbs)


def _flows(here: Here, text: str) -> list[Flow]:
    named = Q(name__icontains=text) | Q(slug__icontains=text)
    found = Flow.objects.filter(named, workspace_id=here.workspace_id)
    return list(found.order_by("name", "id")[:_OF_A_KIND])


def _is_trace(here: Here, text: str) -> bool:
    ref = traces.parse_ref(text)
    row = traces.find(ref) if ref else None
    return (
        row is not None
        and Flow.objects.filter(pk=row.flow_id, workspace_id=here.workspace_id).exists()
    )
