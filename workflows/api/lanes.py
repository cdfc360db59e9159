"""Lanes: who blocks whom in a flow that keeps order, and moving a blocked lane on."""

from typing import Any, Literal

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import OPERATE, READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.paging import limit_of, place_of, woven
from workflows.api.problems import Problem
from workflows.api.redrives import name_of
from workflows.api.schema import operation
from workflows.storage import lanes
from workflows.storage.lanes import Blocked
from workflows.storage.pages import Bounds, Cut
from workflows.tasks.lanes import NotNow, set_aside
from workflows.traces.rows import moment

_MOMENT = "RFC 3339, UTC."
_HEAD = "head"  # the stream that pages go along


class HeadShape(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="To park or skip it by.")
    kind = serializers.CharField(help_text="call: it waits to be made; held: the node holds it.")
    event_id = serializers.CharField()
    trace = serializers.CharField()
    attempt = serializers.IntegerField(help_text="Calls begun.")
    destination = serializers.CharField(allow_null=True)
    says = serializers.CharField(
        allow_null=True, help_text="What the last call was answered, or why it is held."
    )
    under_way_since = serializers.CharField(allow_null=True, help_text=_MOMENT)
    next_at = serializers.CharField(
        allow_null=True, help_text=f"When it goes on; null while it is under way. {_MOMENT}"
    )


class LaneShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    key = serializers.CharField()
    waiting = serializers.IntegerField(help_text="How many wait behind the head.")
    waits_since = serializers.CharField(help_text=f"The first of them. {_MOMENT}")
    head = HeadShape()


class SetAsideShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    trace = serializers.CharField()
    outcome = serializers.CharField(help_text="dead or filtered.")


def _row(blocked: Blocked) -> dict[str, Any]:
    head = blocked.head
    under_way = head.under_way_since
    return {
        "node": head.node,
        "key": head.lane,
        "waiting": blocked.waiting,
        "waits_since": moment(blocked.waits_since),
        "head": {
            "number": head.number,
            "kind": "held" if head.is_held else "call",
            "event_id": blocked.event_id,
            "trace": str(head.ref),
            "attempt": 0 if head.is_held else head.attempt,
            "destination": head.destination or None,
            "says": head.says or None,
            "under_way_since": None if under_way is None else moment(under_way),
            "next_at": moment(head.due_at) if under_way is None else None,
        },
    }


class LaneList(ApiView):
    @operation(
        "list_blocked_lanes",
        "List the lanes of a flow in which events wait for the one before them, by its age",
        READ_TRACES,
        LaneShape,
        page=True,
    )
    def get(self, request: Request, slug: str) -> Response:
        flow, place = self.flow(slug), place_of(request)
        beyond = place.bounds.get(_HEAD, 0)
        found = lanes.blocked(flow.pk, beyond, limit_of(request), place.newer)

        def bounds(index: int, is_more: bool) -> Bounds | None:
            return {_HEAD: found.lanes[index].head.number} if found.lanes and is_more else None

        first = bounds(0, found.is_more if place.newer else bool(place.bounds))
        last = bounds(-1, found.is_more or place.newer)
        rows = shown(LaneShape, [_row(one) for one in found.lanes])
        return woven(request, Cut([], first, last), rows)


class _OfHead(ApiView):
    def set_aside(
        self, request: Request, slug: str, number: int, act: Literal["park", "skip"]
    ) -> Response:
        """End the head, or say why it stays."""
        flow = self.flow(slug)
        try:
            ref = set_aside(flow.pk, number, act, name_of(self.caller, request))
        except NotNow as problem:
            raise Problem(409, str(problem)) from None
        outcome = "dead" if act == "park" else "filtered"
        row = {"number": number, "trace": str(ref), "outcome": outcome}
        return Response(shown(SetAsideShape, row))


_NOT_NOW = "It isn't at the head any more, is under way, or leads other events."


class Park(_OfHead):
    @operation(
        "park_lane_head",
        "Make a dead letter of what is at the head of a lane, so that the next one goes on",
        OPERATE,
        SetAsideShape,
        also={409: _NOT_NOW},
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        return self.set_aside(request, slug, number, "park")


class Skip(_OfHead):
    @operation(
        "skip_lane_head",
        "Filter out what is at the head of a lane, so that the next one goes on",
        OPERATE,
        SetAsideShape,
        also={409: _NOT_NOW},
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        return self.set_aside(request, slug, number, "skip")
