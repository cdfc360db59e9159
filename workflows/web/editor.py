"""The flow's page: the editor with all it needs to draw, save, publish and watch."""

from typing import Any
from urllib.parse import quote

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from workflows.engine.describe import describe
from workflows.engine.flowfile import normalise
from workflows.engine.placing import place
from workflows.models import Flow
from workflows.nodes.registry import catalog, node_types
from workflows.storage import flowrows, flows
from workflows.web import alarms, destinations, timers
from workflows.web.access import Here, flow_or_404, member
from workflows.web.context import Crumb, asked, page, part, wants

_TEMPLATE = "workflows/flows/editor.html"
_PALETTE = ("type", "role", "label", "icon", "summary", "help", "has_input", "outputs")


@require_GET
@ensure_csrf_cookie
@member("viewer")
def flow(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """The editor with the draft, the palette and the addresses of everything it does."""
    found = flow_or_404(here, slug)
    if wants(request, "timer"):
        line = timers.line_of(found.pk, asked(request, "node"))
        return part(request, here, _TEMPLATE, "timer", {"flow": found, "timer": line})
    banners: dict[str, Any] = {
        "flow": found,
        "alarms": alarms.banner(found.pk),
        "down": destinations.banner(here.workspace_id, found.pk),
        "timers": timers.banner(found),
    }
    if wants(request, "banners"):
        return part(request, here, _TEMPLATE, "banners", banners)
    context = {**banners, "data": _data(here, found), "tab": "canvas"}
    crumbs = [Crumb("Flows", reverse("flows", args=[here.workspace])), Crumb(found.name)]
    return page(request, here, _TEMPLATE, context, section="flows", crumbs=crumbs)


def _data(here: Here, found: Flow) -> dict[str, Any]:
    draft = flowrows.draft(found)
    document = normalise(draft.document)
    document["layout"] = place(document)
    _, problems = flows.check(found, document)
    published = None
    if found.published is not None:
        changes = flows.changes_since_published(found, document)
        published = {"number": found.published.number, "changes": changes}
    return {
        "workspace": here.workspace,
        "slug": found.slug,
        "name": found.name,
        "canEdit": here.can_edit,
        "canOperate": here.can_operate,
        "paused": found.paused,
        "catalog": palette(),
        "document": document,
        "revision": draft.revision,
        "problems": [msgspec.to_builtins(problem) for problem in problems],
        "nodes": describe(document, node_types()),
        "published": published,
        "urls": _urls(here, found.slug),
    }


def palette() -> list[dict[str, Any]]:
    """The node types as the editor shows them; forms and examples come from the inspector."""
    types = node_types()
    return [
        {
            **{name: entry[name] for name in _PALETTE},
            "can_fail": entry["can_fail"],
            "holds": types[entry["type"]].holds,
            "defaults": entry["defaults"],
        }
        for entry in catalog()
    ]


def _urls(here: Here, slug: str) -> dict[str, str]:
    args = [here.workspace, slug]
    api = f"/api/v1/flows/{quote(slug)}"
    space = f"?workspace={quote(here.workspace)}"
    urls = {
        "draft": f"{api}/draft{space}",
        "publish": f"{api}/publish{space}",
        "state": f"{api}/state{space}",
        "export": f"{api}/export{space}",
        "inspector": reverse("inspector", args=args),
        "socket": f"/ws/{quote(here.workspace)}/flows/{quote(slug)}",
        "traces": f"{reverse('traces', args=[here.workspace])}?flow={quote(slug)}",
        "trace": f"{reverse('traces', args=[here.workspace])}/{{id}}?part=steps",
        "try": reverse("try", args=args),
        "versions": reverse("versions", args=args),
        "import": reverse("import", args=[here.workspace]),
    }
    return {**urls, "delete": reverse("delete", args=args)} if here.can_own else urls
