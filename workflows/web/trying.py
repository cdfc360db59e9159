"""What does “Try” send? One event by hand to a flow that runs."""

import json
import time
from typing import Any, NamedTuple

import orjson
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from workflows.models import Flow
from workflows.storage import channels, doors, log
from workflows.storage.doors import Inbox
from workflows.storage.parts import TraceRef
from workflows.tasks.context import incoming
from workflows.tasks.nudge import nudge
from workflows.web import eventrows
from workflows.web.access import Here, flow_or_404, is_htmx, member
from workflows.web.newevent import Refused, new_event

# Which producer gets it when nobody says: the one that people think of first.
_PREFERRED = ("producer.manual", "producer.http")


class _Target(NamedTuple):
    inbox: Inbox
    type: str
    config: dict[str, Any]


@require_POST
@member("editor")
def try_flow(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """Send an event with the `data` that is given, else with that of the newest one."""
    flow = flow_or_404(here, slug)
    try:
        given = _given(request)
        target = _target(flow, here, str(given.get("node") or ""))
        channel = channels.find(here.workspace_id, target.inbox.channel)
        if channel is None:
            raise Refused(409, "The flow is being published right now: try again.")
        data = given["data"] if "data" in given else _sample(flow, target)
        kind = str(target.config.get("event_type") or f"{slug}.tried")
        event = new_event(f"/w/{here.workspace}/flows/{slug}/try", kind, data)
    except Refused as refused:
        return _refusal(request, refused)
    (place,) = log.append([incoming(channel, event)], time.time())
    nudge([target.inbox.subscription_id])
    ref = TraceRef(target.inbox.subscription_id, place.partition, place.offset)
    return _sent(request, here, str(ref), event["id"])


def _given(request: HttpRequest) -> dict[str, Any]:
    """`data` (any JSON) and `node` of a JSON body or of a form; both may be missing."""
    if request.content_type == "application/json":
        given = _parsed(request.body) if request.body.strip() else {}
        if not isinstance(given, dict):
            raise Refused(400, 'Send an object: {"data": …, "node": "…"}.')
        return given
    out: dict[str, Any] = {"node": request.POST.get("node", "")}
    if request.POST.get("data", "").strip():
        out["data"] = _parsed(request.POST["data"].encode())
    return out


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"The data isn't valid JSON: {error}.") from None


def _target(flow: Flow, here: Here, node: str) -> _Target:
    door = doors.flow_door(here.workspace_id, flow.slug)
    if door is None:
        raise Http404
    if flow.published is None or not door.inboxes:
        raise Refused(409, "Publish the flow with a producer of its own, then try it.")
    nodes = {str(one.get("id")): one for one in flow.published.document["nodes"]}
    targets = [
        _Target(inbox, str(nodes[inbox.node].get("type")), nodes[inbox.node].get("config") or {})
        for inbox in door.inboxes
        if inbox.node in nodes
    ]
    if node:
        targets = [target for target in targets if target.inbox.node == node]
    if not targets:
        raise Refused(409, "This producer isn't published yet: publish the flow, then try it.")
    return min(targets, key=lambda target: _rank(target.type))


def _rank(type_id: str) -> int:
    return _PREFERRED.index(type_id) if type_id in _PREFERRED else len(_PREFERRED)


def _sample(flow: Flow, target: _Target) -> Any:
    """The data that the node starts with, else that of the newest event that came to it, or else
    to another producer of the flow: so that the first try shows something."""
    if target.config.get("data"):
        return target.config["data"]
    inboxes = sorted(flow.inboxes.all(), key=lambda one: (one.node != target.inbox.node, one.pk))
    for inbox in inboxes:
        newest = eventrows.newest(inbox)
        if newest is not None:
            return newest.get("data")
    return None


def _sent(request: HttpRequest, here: Here, ref: str, event_id: str) -> HttpResponse:
    url = reverse("trace", args=[here.workspace, ref])
    if is_htmx(request):
        toast = {"text": "Test event sent", "kind": "ok", "href": url, "link": "Open trace"}
        return _toast(204, toast)
    answer = {"accepted": 1, "duplicates": 0, "trace": ref, "trace_url": url}
    event = {"id": event_id, "duplicate": False, "trace_url": url}
    return JsonResponse({**answer, "events": [event]}, status=202)


def _refusal(request: HttpRequest, refused: Refused) -> HttpResponse:
    if is_htmx(request):
        return _toast(204, {"text": refused.says, "kind": "failed"})
    problem = {"type": "about:blank", "title": "Not sent", "detail": refused.says}
    return JsonResponse(
        {**problem, "status": refused.status},
        status=refused.status,
        content_type="application/problem+json",
    )


def _toast(status: int, toast: dict[str, str]) -> HttpResponse:
    trigger = json.dumps({"eventflow:toast": toast})  # ASCII only, as headers are
    return HttpResponse(status=status, headers={"HX-Trigger": trigger})
