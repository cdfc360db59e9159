"""When does a flow make events by itself, and does that work?"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.schema import operation
from workflows.storage import timers
from workflows.storage.timers import Timed
from workflows.traces.rows import moment


class TimerShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    next_at = serializers.CharField(
        allow_null=True,
        help_text="When it is due; past while the flow is paused or the timer can't be fired, null"
        " when it is never due again. RFC 3339, UTC.",
    )
    fired_at = serializers.CharField(
        allow_null=True,
        help_text="The last moment that it made events for; null before the first. RFC 3339, UTC.",
    )
    error = serializers.CharField(
        allow_null=True, help_text="What was wrong at its last moment; null when nothing was."
    )


class TimersShape(serializers.Serializer[Any]):
    timers = TimerShape(many=True)


class TimerList(ApiView):
    @operation(
        "list_flow_timers",
        "List the producers of a flow that make events by themselves, by node",
        READ_FLOWS,
        TimersShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = [_row(one) for one in timers.of_flow(self.flow(slug).pk)]
        return Response(shown(TimersShape, {"timers": rows}))


def _row(one: Timed) -> dict[str, Any]:
    return {
        "node": one.node,
        "next_at": None if one.next_at is None else moment(one.next_at),
        "fired_at": None if one.fired_at is None else moment(one.fired_at),
        "error": one.error or None,
    }
