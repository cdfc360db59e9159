"""Events: what lies in a channel, and one event with the traces it has."""

from datetime import UTC, datetime

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows.models import Channel, Flow
from workflows.storage import channels, eventpages, flowrows, tracepages, traces
from workflows.storage.stored import read_one
from workflows.storage.traces import TraceRow
from workflows.web import eventrows
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, page, part, wants
from workflows.web.jsonview import coloured
from workflows.web.paging import read_bounds

_ON_A_PAGE = 40


@require_GET
@member("viewer")
def event_list(request: HttpRequest, here: Here) -> HttpResponse:
    """The newest events of one channel."""
    found = channels.of_workspace(here.workspace_id)
    choices = sorted(found, key=lambda one: (one.flow_id or 0, one.slug))  # shared ones first
    slug = asked(request, "channel")
    channel = next((one for one in choices if one.slug == slug), None)
    if slug and channel is None:
        raise Http404(NOT_HERE)
    channel = channel or _first(choices)
    wanted = eventpages.Wanted(
        prefix=asked(request, "type"), key=asked(request, "key"), id=asked(request, "id")
    )
    bounds = read_bounds(request.GET.get("before", ""))
    chosen = [channel.pk] if channel else []
    shown = eventrows.lines(chosen, wanted, bounds, _ON_A_PAGE)
    context = {
        "channels": choices,
        "channel": channel,
        "wanted": wanted,
        "lines": shown.lines,
        "older": shown.older,
        "looked_since": shown.since,
        "is_first": not bounds,
    }
    template = "workflows/events/list.html"
    if wants(request, "rows"):
        return part(request, here, template, "rows", context)
    return page(request, here, template, context, section="events", crumbs=[Crumb("Events")])


@require_GET
@member("viewer")
def event(request: HttpRequest, here: Here, position: str) -> HttpResponse:
    """One event by its place in the log, and every trace that it has."""
    place = traces.parse_ref(position)
    if place is None or place.run:
        raise Http404(NOT_HERE)
    channel_id, partition, offset, _ = place
    channel = channels.get_by_id(here.workspace_id, channel_id)
    stored = read_one(channel_id, partition, offset) if channel else None
    if channel is None or stored is None:
        raise Http404(
            "There is no event at this place (any more): the channel's retention may have taken it."
        )
    body = orjson.loads(stored.body)
    context = {
        "channel": channel,
        "stored": stored,
        "body": body,
        "json": coloured(body),
        "at": datetime.fromtimestamp(stored.accepted_at, UTC),
        "position": position,
        "traces": _with_flows(here, tracepages.of_place(channel_id, partition, offset)),
    }
    crumbs = [Crumb("Events", reverse("events", args=[here.workspace])), Crumb(position)]
    return page(
        request, here, "workflows/events/event.html", context, section="events", crumbs=crumbs
    )


def _first(channels: list[Channel]) -> Channel | None:
    """The channel to begin with: a private inbox is where most events come in."""
    return next((one for one in channels if one.flow_id), channels[0] if channels else None)


def _with_flows(here: Here, rows: list[TraceRow]) -> list[tuple[TraceRow, Flow]]:
    flows = flowrows.by_ids(here.workspace_id, {row.flow_id for row in rows})
    return [(row, flows[row.flow_id]) for row in rows if row.flow_id in flows]
