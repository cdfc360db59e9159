"""How does an event get into this flow, and which requests were refused at its door?"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from workflows.models import Flow
from workflows.nodes.registry import node_types
from workflows.storage import doors
from workflows.web.access import Here, flow_or_404, member
from workflows.web.context import flow_page
from workflows.web.jsonview import coloured

_SHOWN_REJECTED = 50
_ORDER = {"amount": 120}


class Way(NamedTuple):
    """A producer that takes events from outside."""

    node: str
    name: str
    type: str
    label: str
    icon: str
    sample: str  # data to send, as JSON that fits into single quotes of a shell
    hook: str  # the whole address; "" when there is none
    is_shown: bool  # the address is a secret: editors see it


class Refusal(NamedTuple):
    """A request that was refused."""

    at: datetime
    node: str
    reason: str
    headers: SafeString
    body: str


@require_GET
@member("viewer")
def trigger(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """Addresses, and a command to copy for each."""
    flow = flow_or_404(here, slug)
    host = request.build_absolute_uri("/").rstrip("/")
    ways = _ways(here, flow, host)
    context = {"ways": ways, "trigger_url": f"{host}/api/v1/flows/{slug}/trigger"}
    return flow_page(request, here, flow, "trigger", "Trigger", context)


@require_GET
@member("editor")
def rejected(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """The newest requests that the flow's webhooks refused, and why."""
    flow = flow_or_404(here, slug)
    refusals = [
        Refusal(
            datetime.fromtimestamp(one.rejected_at, UTC),
            one.node,
            one.reason,
            coloured(one.headers),
            bytes(one.body).decode("utf-8", "replace"),
        )
        for one in doors.rejected(flow.pk, _SHOWN_REJECTED)
    ]
    context = {"refusals": refusals, "shown": _SHOWN_REJECTED}
    return flow_page(request, here, flow, "rejected", "Rejected requests", context)


def _ways(here: Here, flow: Flow, host: str) -> list[Way]:
    if flow.published is None:
        return []
    door = doors.flow_door(here.workspace_id, flow.slug)
    hooks = doors.hook_keys(flow.pk)
    nodes = {str(one.get("id")): one for one in flow.published.document["nodes"]}
    ways = []
    for inbox in door.inboxes if door else ():
        node, types = nodes.get(inbox.node, {}), node_types()
        kind = types.get(str(node.get("type")))
        if kind is None:
            continue
        hook = f"{host}/hooks/{hooks[inbox.node]}" if inbox.node in hooks else ""
        name = str(node.get("name") or inbox.node)
        ways.append(
            Way(
                inbox.node,
                name,
                kind.type_id,
                kind.label,
                kind.icon,
                _sample(node),
                hook,
                here.can_edit,
            )
        )
    return ways


def _sample(node: dict[str, Any]) -> str:
    """The data that a manual producer starts with, else something that looks like an order."""
    config = node.get("config") or {}
    data = config.get("data") if node.get("type") == "producer.manual" else None
    return json.dumps(data or _ORDER).replace("'", "\\u0027")
