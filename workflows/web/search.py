"""What does the search box find? Flows by name, events by id, traces by type, key or id."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from workflows.storage import channels, eventpages, flowrows, tracepages, traces
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
    context = {
        "text": text,
        **(_found(here.workspace_id, text) if text else {}),
    }
    crumbs = [Crumb("Search")]
    return page(request, here, "workflows/search.html", context, section="", crumbs=crumbs)


def _found(workspace_id: int, text: str) -> dict[str, Any]:
    flows = flowrows.choices(workspace_id)
    channel_ids = list(channels.slugs(workspace_id))
    wanted = eventpages.Wanted(id=text)
    found = tracerows.lines(flows, tracepages.Wanted(event=text), {}, _OF_A_KIND)
    if not found.lines:  # an id has an index; anything else has to be looked for
        found = tracerows.lines(flows, tracepages.Wanted(text=text), {}, _OF_A_KIND)
    return {
        "flows": flowrows.named(workspace_id, text, _OF_A_KIND),
        "traces": found.lines,
        "looked_since": found.since,
        "events": eventrows.lines(channel_ids, wanted, {}, _OF_A_KIND).lines,
    }


def _is_trace(here: Here, text: str) -> bool:
    ref = traces.parse_ref(text)
    row = traces.find(ref) if ref else None
    return row is not None and row.flow_id in flowrows.by_ids(here.workspace_id, [row.flow_id])
