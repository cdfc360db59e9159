"""Traces: which there are, and what happened in one."""

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows.engine.describe import describe
from workflows.models import Flow, Replay
from workflows.nodes.registry import node_types
from workflows.storage import (
    cursors,
    deadletters,
    eventpages,
    flowrows,
    replays,
    runs,
    tracepages,
    traces,
    versions,
    work,
)
from workflows.storage.parts import TraceRef
from workflows.storage.stored import read_one
from workflows.storage.traces import TraceRow
from workflows.web import tracerows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, page, part, wants
from workflows.web.jsonview import coloured
from workflows.web.paging import read_bounds, read_number
from workflows.web.steps import Look, Step, show

_ON_A_PAGE = 40
_HELD = 20  # waits of one trace that are shown
_STATES = ("queued", *tracepages.STATES)
_RUNS = {"live": "First runs", "replay": "Replays"}


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
    run, replay = asked(request, "run"), _replay(request, here)
    wanted = tracepages.Wanted(
        state=state if state in _STATES else "",
        text=asked(request, "q"),
        run=str(runs.number(replay.mode, replay.pk)) if replay else run if run in _RUNS else "",
    )
    flows = flowrows.choices(here.workspace_id)
    chosen = [flow for flow in flows if flow.slug == slug] if slug else flows
    bounds = read_bounds(request.GET.get("before", ""))
    found = tracerows.lines(chosen, wanted, bounds, _ON_A_PAGE)
    context: dict[str, Any] = {
        "lines": found.lines,
        "older": found.older,
        "looked_since": found.since,
        "is_first": not bounds,
        "waiting": sum(cursors.lags([flow.pk for flow in chosen]).values()),
        "wanted": wanted,
        "slug": slug,
        "replay": replay,
    }
    if wants(request, "rows"):
        return part(request, here, "workflows/traces/list.html", "rows", context)
    context |= {"flows": flows, "states": _STATES, "runs": _RUNS}
    crumbs = [Crumb("Traces")]
    return page(
        request, here, "workflows/traces/list.html", context, section="traces", crumbs=crumbs
    )


def _replay(request: HttpRequest, here: Here) -> Replay | None:
    number = read_number(asked(request, "replay"))
    return replays.find(here.workspace_id, number) if number else None


@require_GET
@member("viewer")
def trace(request: HttpRequest, here: Here, ref: str) -> HttpResponse:
    """One trace; with `?part=steps` its steps alone, for the drawer under the canvas."""
    found = traces.parse_ref(ref)
    row = traces.find(found) if found else None
    flow = row and flowrows.by_ids(here.workspace_id, [row.flow_id]).get(row.flow_id)
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
    channel_id = cursors.channel_of(ref.subscription_id)
    stored = read_one(channel_id, ref.partition, ref.offset)
    body = None if stored is None else orjson.loads(stored.body)
    document = versions.document(flow.pk, row.version)
    end = row.ended_at if row.ended_at is not None else time.time()
    segments = traces.segments(ref)
    steps = show(
        segments,
        document.get("wires", []),
        _looks(document),
        _origin(ref, body),
        (row.begun_at, end),
    )
    return {
        "flow": flow,
        "ref": ref,
        "row": row,
        "at": datetime.fromtimestamp(row.accepted_at, UTC),
        "steps": steps,
        "shares": shares(row, steps, end),
        "total_ms": (end - row.begun_at) * 1000,
        "position": eventpages.position(channel_id, ref.partition, ref.offset),
        "event": None if body is None else coloured(body),
        "runs": _runs(channel_id, ref),
        "replayed": runs.replay_of(ref.run),
        "is_draft": row.version >= runs.FIRST_TRIAL,
        "redrive": traces.redrive_of(segments),
        "letters": deadletters.of_trace(flow.pk, ref),
        "held": [] if row.ended_at else work.held_of(flow.pk, ref, _HELD),
    }


def shares(row: TraceRow, steps: list[Step], end: float) -> list[Share]:
    """The trace's time split into queued, waiting, own and effect; together they are all of it."""
    total = max((end - row.begun_at) * 1000, 1e-6)
    taken = end if row.taken_at is None else row.taken_at
    queued = min(max((taken - row.begun_at) * 1000, 0.0), total)
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
    return body if runs.kind(ref.run) != "redrive" else None


def _looks(document: dict[str, Any]) -> dict[str, Look]:
    views = describe(document, node_types())
    names = {str(node.get("id")): str(node.get("name") or "") for node in document.get("nodes", [])}
    return {
        node: Look(
            names.get(node) or node, view["label"], view["icon"], view["role"], view["summary"]
        )
        for node, view in views.items()
    }


def _runs(channel_id: int, ref: TraceRef) -> list[TraceRef]:
    """All runs of this event through this producer, the live one first."""
    found = tracepages.of_place(channel_id, ref.partition, ref.offset)
    return [row.ref for row in found if row.ref.subscription_id == ref.subscription_id]
