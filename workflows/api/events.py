"""Events: what was accepted, found again; and the doors for people who are logged in.

A `POST` with a token never comes here: the lean doors take it, before Django. One with a session
does, for its CSRF check, and goes on to the same doors, which the URL map passes in.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_TRACES, SEND
from workflows.api.base import ApiView, shown
from workflows.api.paging import limit_of, place_of, woven
from workflows.api.problems import Problem
from workflows.api.reading import Unread
from workflows.api.runshapes import AcceptedShape, EventShape, WholeEventShape
from workflows.api.schema import operation
from workflows.api.traces import trace_rows
from workflows.storage import channels, eventpages, tracepages, traces
from workflows.storage.eventpages import EventRow
from workflows.storage.stored import read_one
from workflows.traces.rows import moment

Door = Callable[..., Awaitable[HttpResponse]]


def _rows(found: Sequence[EventRow], slugs: dict[int, str]) -> Any:
    lines = [
        {
            "position": row.position,
            "channel": slugs[row.channel_id],
            "id": row.event_id,
            "type": row.type,
            "key": row.key,
            "accepted_at": moment(row.accepted_at),
        }
        for row in found
    ]
    return shown(EventShape, lines)


class EventList(ApiView):
    parser_classes = (Unread,)
    door: Door | None = None

    @operation(
        "list_events",
        "List events, newest first",
        READ_TRACES,
        EventShape,
        page=True,
        params={
            "channel": "Events of this channel.",
            "type": "Events of this type. A page then looks back for a moment only, and may be"
            " short: `next` goes on.",
            "key": "Events of this key; as with `type`.",
            "id": "Events of this id, wherever they lie: the newest `limit`, in one page.",
        },
    )
    def get(self, request: Request) -> Response:
        slugs = self._channels()
        wanted = eventpages.Wanted(self.asked("type"), self.asked("key"), self.asked("id"))
        rows, page = eventpages.page(list(slugs), wanted, place_of(request), limit_of(request))
        return woven(request, page, _rows(rows, slugs))

    @operation(
        "send_events",
        "Send events to a channel: one, an array, NDJSON or CloudEvents",
        SEND,
        AcceptedShape,
        status=202,
        body=OpenApiTypes.OBJECT,
        params={
            "channel": "Where the events go.",
            "atomic": "`true`: all or nothing, when some are bad.",
        },
        also={207: "Some were bad: each has a `problem`.", 422: "All were bad."},
    )
    def post(self, request: Request) -> HttpResponse:
        return through(self.door, request)

    def _channels(self) -> dict[int, str]:
        """The channels that the list is about: id -> slug."""
        if self.asked("channel"):
            channel = self.channel(self.asked("channel"))
            return {channel.pk: channel.slug}
        return channels.slugs(self.caller.workspace_id)


class Trigger(ApiView):
    parser_classes = (Unread,)
    door: Door | None = None

    @operation(
        "trigger_flow",
        "Trigger a flow with an event, or with just its data",
        SEND,
        AcceptedShape,
        status=202,
        body=OpenApiTypes.OBJECT,
        params={
            "node": "Which of the flow's producers; the first by default.",
            "wait": "Seconds (0 to 60) to wait for the flow's reply, which is then the answer.",
            "atomic": "`true`: all or nothing, when some are bad.",
        },
        also={409: "The flow isn't published, or has no producer to trigger."},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        return through(self.door, request, slug=self.flow(slug).slug)


class OneEvent(ApiView):
    @operation("read_event", "Read an event, with the traces of it", READ_TRACES, WholeEventShape)
    def get(self, request: Request, position: str) -> Response:
        where = traces.parse_ref(position)
        channel = where and channels.get_by_id(self.caller.workspace_id, where.subscription_id)
        stored = where and channel and read_one(*where[:3])
        if not (where and channel and stored) or where.run:
            raise Problem(404, "There is no such event (any more).")
        row = EventRow(channel.pk, *stored[:6])
        found = tracepages.of_place(channel.pk, stored.partition, stored.offset)
        line = _rows([row], {channel.pk: channel.slug})[0]
        body = {
            **line,
            "event": orjson.loads(stored.body),
            "traces": trace_rows(found, self.caller.workspace_id),
        }
        return Response(shown(WholeEventShape, body))


def through(door: Door | None, request: Request, **kwargs: str) -> HttpResponse:
    """The door's own answer to a request whose session and CSRF token have been checked."""
    if door is None:
        raise LookupError("the URL map has no door for this view")
    plain: HttpRequest = request._request
    return async_to_sync(door)(plain, **kwargs)
