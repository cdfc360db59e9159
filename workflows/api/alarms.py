"""Alarms: where the accounting doesn't come out even."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import OPERATE, READ_TRACES
from workflows.api.base import ApiView, newest_first, shown
from workflows.api.problems import Problem
from workflows.api.schema import operation
from workflows.models import Alarm
from workflows.storage import alarms
from workflows.traces.rows import moment

_STATES = Alarm.State.values
_MOMENT = "RFC 3339, UTC."


class AlarmShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    flow = serializers.CharField()
    node = serializers.CharField()
    kind = serializers.CharField(
        help_text="outcomes: arrivals don't equal outcomes and what is held; arrivals: they don't"
        " equal what was sent to the node; traces: events were taken and have no trace; expired:"
        " a producer was so far behind that it was moved past unread events."
    )
    difference = serializers.IntegerField(help_text="How many arrivals are unaccounted for.")
    says = serializers.CharField()
    state = serializers.CharField(help_text="open, acknowledged or resolved.")
    first_seen = serializers.CharField(help_text=_MOMENT)
    last_seen = serializers.CharField(help_text=_MOMENT)
    resolved_at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    acknowledged_by = serializers.CharField(
        allow_null=True, help_text="Who did; null for a token, and before it is."
    )


def _row(alarm: Alarm) -> dict[str, Any]:
    return {
        "id": alarm.pk,
        "flow": alarm.flow.slug,
        "node": alarm.node,
        "kind": alarm.kind,
        "difference": alarm.difference,
        "says": alarm.says,
        "state": alarm.state,
        "first_seen": moment(alarm.first_seen),
        "last_seen": moment(alarm.last_seen),
        "resolved_at": None if alarm.resolved_at is None else moment(alarm.resolved_at),
        "acknowledged_by": alarm.acknowledged_by and alarm.acknowledged_by.get_username(),
    }


class AlarmList(ApiView):
    @operation(
        "list_alarms",
        "List the nodes whose accounting didn't come out even, newest first",
        READ_TRACES,
        AlarmShape,
        page=True,
        params={
            "flow": "Alarms of this flow.",
            "state": f"One of {', '.join(_STATES)}; all by default.",
        },
    )
    def get(self, request: Request) -> Response:
        state = self.asked("state")
        if state and state not in _STATES:
            raise Problem(400, f"?state= is one of {', '.join(_STATES)}.")
        flow = self.flow(self.asked("flow")).slug if self.asked("flow") else ""
        found = alarms.listed(self.caller.workspace_id, flow=flow, state=state)
        return newest_first(request, found, AlarmShape, _row)


class Acknowledge(ApiView):
    @operation(
        "acknowledge_alarm",
        "Note that somebody knows of an alarm; it resolves itself when the figures are even",
        OPERATE,
        AlarmShape,
    )
    def post(self, request: Request, number: int) -> Response:
        alarm = alarms.acknowledge(self.caller.workspace_id, number, self.caller.user_id)
        if alarm is None:
            raise Problem(404, f"There is no alarm {number} in this workspace.")
        return Response(shown(AlarmShape, _row(alarm)))
