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


class NodeBacklogShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    calls = serializers.IntegerField(help_text="Calls to be made, answered or made again.")
    held = serializers.IntegerField(help_text="Events that wait for a moment.")
    oldest = serializers.FloatField(allow_null=True, help_text=_OLDEST)


class BacklogShape(serializers.Serializer[Any]):
    readers = ReaderBacklogShape(many=True)
    nodes = NodeBacklogShape(many=True)


class FlowBacklog(ApiView):
    @operation(
        "read_flow_backlog",
        "Read what a flow has still before it, by producer and by node",
        READ_FLOWS,
        BacklogShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        body = {
            "readers": [
                {**one._asdict(), "waits_for": one.waits_for or None}
                for one in backlogs.readers(flow.pk, flow.slug)
            ],
            "nodes": [one._asdict() for one in backlogs.nodes(flow.pk)],
        }
        return Response(shown(BacklogShape, body))
