"""How far behind is a flow? What programs watch to know when to send less."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.schema import operation
from workflows.storage import backlogs

_OLDEST = "Since when the first one waits, Unix seconds; null when none does."


class ReaderBacklogShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    channel = serializers.CharField()
    lag = serializers.IntegerField(help_text="Unread events.")
    oldest = serializers.FloatField(allow_null=True, help_text=_OLDEST)
    expired = serializers.IntegerField(help_text="Events it was moved past, being too far behind.")
    lag_limit = serializers.IntegerField()
    lag_policy = serializers.CharField()
    waits_for = serializers.CharField(
        allow_null=True,
        help_text="The full channel, one that blocks, without which it takes no more events;"
        " null when there is none.",
    )


class WaitShape(serializers.Serializer[Any]):
    why = serializers.CharField(
        help_text="retry: another attempt follows. down: the destination doesn't answer. limit: one"
        " of the node or the destination. turn: behind another event of its key. under_way: being"
        " called. worker: it could go at once. held: the node waits."
    )
    n = serializers.IntegerField()
    oldest = serializers.FloatField(help_text="Since when the first one waits, Unix seconds.")
    goes_on = serializers.FloatField(
        allow_null=True, help_text="When the first one of them does, if that is known."
    )
    destination = serializers.CharField(allow_null=True, help_text="Whom a call is to.")
    says = serializers.CharField(help_text="More about it; may be empty.")


class NodeBacklogShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    calls = serializers.IntegerField(help_text="Calls to be made, answered or made again.")
    held = serializers.IntegerField(help_text="Events that wait for a moment.")
    oldest = serializers.FloatField(help_text="Since when the first one waits, Unix seconds.")
    waits = WaitShape(many=True, help_text="The same by reason.")


class BacklogShape(serializers.Serializer[Any]):
    readers = ReaderBacklogShape(many=True)
    nodes = NodeBacklogShape(many=True)
    whole = serializers.BooleanField(
        help_text=f"False: only {backlogs.MOST_ROWS:,} calls and as many held events were counted."
    )
    taken_per_minute = serializers.FloatField(help_text="Over the last five minutes.")


class FlowBacklog(ApiView):
    @operation(
        "read_flow_backlog",
        "Read what a flow has still before it, by producer and by node",
        READ_FLOWS,
        BacklogShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        parked = backlogs.nodes(flow)
        body = {
            "readers": [
                {**one._asdict(), "waits_for": one.waits_for or None}
                for one in backlogs.readers(flow.pk)
            ],
            "nodes": [
                {**one._asdict(), "waits": [_wait(wait) for wait in one.waits]}
                for one in parked.nodes
            ],
            "whole": parked.is_whole,
            "taken_per_minute": backlogs.rate(flow.pk),
        }
        return Response(shown(BacklogShape, body))


def _wait(wait: backlogs.Wait) -> dict[str, Any]:
    return {**wait._asdict(), "destination": wait.destination or None}
