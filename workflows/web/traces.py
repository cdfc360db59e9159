"""Traces: which there are, and what happened in one."""

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows.engine.describe import describe
from workflows.models import DeadLetter, Flow, FlowVersion, Held, Subscription
from workflows.nodes.registry import node_types
from workflows.storage import log, traces
from workflows.storage.parts import TraceRef
from workflows.storage.traces import TraceRow
from workflows.web import tracerows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, page, part, wants
from workflows.web.jsonview import coloured
from workflows.web.paging import read_bounds
from workflows.web.steps import Look, Step, show

_ON_A_PAGE = 40
_STATES = ("queued", *tracerows.STATES)


class Share(NamedTuple):
    """A part of a trace's time, as a piece of a bar."""

    name: str
    word: str
    ms: float
    x: float
    width: float


@require_GET
@member("viewer")
def trace_list(request: HttpRequest, here: Here) -> HttpResponse:
    """The newest traces of all flows, or of those that the filters leave."""
    slug, state = asked(request, "flow"), asked(request, "state")
    wanted = tracerows.Wanted(state if state in _STATES else "", asked(request, "q"))
    flows = tracerows.flows_of(here.workspace_id)
    chosen = [flow for flow in flows if flow.slug == slug] if slug else flows
    bounds = read_bounds(request.GET.get("before", ""))
    found = tracerows.lines(chosen, wanted, bounds, _ON_A_PAGE)
    behind = tracerows.lags(here.workspace_id)
    context = {
        "lines": found.lines,
        "older": found.older,
        "is_first": not bounds,
        "waiting": sum(behind.get(flow.pk, 0) for flow in chosen),
        "wanted": wanted,
        "slug": slug,
        "searched": tracerows.SEARCHED,
    }
    if wants(request, "rows"):
        return part(request, here, "workflows/traces/list.html", "rows", context)
    context |= {"flows": flows, "states": _STATES}
    crumbs = [Crumb("Traces")]
    return page(
        request, here, "workflows/traces/list.html", context, section="traces", crumbs=crumbs
    )


@require_GET
@member("viewer")
def trace(request: HttpRequest, here: Here, ref: str) -> HttpResponse:
    """One trace; with `?part=steps` its steps alone, for the drawer under the canvas."""
    found = traces.parse_ref(ref)
    row = traces.find(found) if found else None
    flow = row and Flow.objects.filter(pk=row.flow_id, workspace_id=here.workspace_id).first()
    if found is None or row is None or flow is None:
        raise Http404(NOT_HERE)
    context = _context(flow, found, row)
    if wants(request, "steps"):
        return part(request, here, "workflows/traces/trace.html", "steps", context)
    crumbs = [Crumb("Traces", reverse("traces", args=[here.workspace])), Crumb(ref)]
    return page(
        request, here, "workflows/traces/trace.html", context, section="traces", crumbs=crumbs
    )


def _context(flow: Flow, ref: TraceRef, row: TraceRow) -> dict[str, Any]:
    subscription = Subscription.objects.get(pk=ref.subscription_id)
    stored = log.read_one(subscription.channel_id, ref.partition, ref.offset)
    body = None if stored is None else orjson.loads(stored.body)
    document = _document(flow, row.version)
    end = row.ended_at if row.ended_at is not None else time.time()
    steps = show(
        traces.segments(ref),
        document.get("wires", []),
        _looks(document),
        _origin(ref, body),
        (row.accepted_at, end),
    )
    letters = DeadLetter.objects.filter(
        flow=flow, subscription_id=ref.subscription_id, partition=ref.partition, offset=ref.offset
    )
    held = Held.objects.filter(
        flow=flow,
        subscription_id=ref.subscription_id,
        partition=ref.partition,
        offset=ref.offset,
        run=ref.run,
    )
    return {
        "flow": flow,
        "ref": ref,
        "row": row,
        "at": datetime.fromtimestamp(row.accepted_at, UTC),
        "steps": steps,
        "shares": shares(row, steps, end),
        "total_ms": (end - row.accepted_at) * 1000,
        "position": f"{subscription.channel_id}-{ref.partition}-{ref.offset}",
        "event": None if body is None else coloured(body),
        "runs": _runs(subscription, ref),
        "letters": [one for one in letters.order_by("id") if one.run == ref.run],
        "held": list(held.order_by("due_at")[:20]),
    }


def shares(row: TraceRow, steps: list[Step], end: float) -> list[Share]:
    """The trace's time split into queued, waiting, own and effect; together they are all of it."""
    total = max((end - row.accepted_at) * 1000, 1e-6)
    taken = end if row.taken_at is None else row.taken_at
    queued = min(max((taken - row.accepted_at) * 1000, 0.0), total)
    own = min(sum(step.own_ms for step in steps), total - queued)
    effect = min(sum(step.effect_ms for step in steps), total - queued - own)
    parts = (
        ("queued", "Queued", queued),
        ("waiting", "Waiting", total - queued - own - effect),
        ("own", "In nodes", own),
        ("effect", "Outside", effect),
    )
    out, x = [], 0.0
    for name, word, ms in parts:
        width = 100 * ms / total
        out.append(Share(name, word, ms, round(x, 2), round(width, 2)))
        x += width
    return out


def _origin(ref: TraceRef, body: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the first step got: the event itself, except where a redrive began in mid-flow."""
    return body if ref.run == 0 else None


def _document(flow: Flow, version: int) -> dict[str, Any]:
    found = FlowVersion.objects.filter(flow=flow, number=version).first()
    return {} if found is None else dict(found.document)


def _looks(document: dict[str, Any]) -> dict[str, Look]:
    views = describe(document, node_types())
    names = {str(node.get("id")): str(node.get("name") or "") for node in document.get("nodes", [])}
    return {
        node: Look(
            names.get(node) or node, view["label"], view["icon"], view["role"], view["summary"]
        )
        for node, view in views.items()
    }


def _runs(subscription: Subscription, ref: TraceRef) -> list[TraceRef]:
    """All runs of this event through this producer, the live one first."""
    found = traces.of_event(subscription.channel_id, ref.partition, ref.offset)
    return [one for one in found if one.subscription_id == subscription.pk]
