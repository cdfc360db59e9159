"""What does a flow remember of each key? The values that nodes of the type filter.state keep."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.paging import listed
from workflows.api.problems import Problem
from workflows.api.schema import operation
from workflows.engine.keys import key_text
from workflows.models import Flow
from workflows.storage import state
from workflows.storage.state import Kept
from workflows.traces.rows import moment

_KEEPER = "filter.state"
_MOMENT = "RFC 3339, UTC."


class KeptShape(serializers.Serializer[Any]):
    key = serializers.CharField(
        help_text="As it reads: a text as it is, all else as JSON. One of more than 200 characters"
        " is cut, and ends with a hash."
    )
    value = serializers.JSONField(allow_null=True)
    kept_at = serializers.CharField(
        help_text=f"When the event was accepted that it comes from. {_MOMENT}"
    )
    until = serializers.CharField(
        allow_null=True, help_text=f"When it is forgotten if no other event comes. {_MOMENT}"
    )


class KeptList(ApiView):
    @operation(
        "list_kept_values",
        "List the last value of each key that a node of the type filter.state keeps, by key",
        READ_TRACES,
        KeptShape,
        page=True,
        params={"key": "The value of this key alone."},
    )
    def get(self, request: Request, slug: str, node: str) -> Response:
        flow = self.flow(slug)
        if node not in _keepers(flow):
            raise Problem(404, f"The published flow has no node {node[:60]!r} that keeps values.")
        asked = request.query_params.get("key")
        found = state.kept(flow.pk, node, None if asked is None else key_text(asked))
        return listed(request, found, "key", lambda page: _rows(state.read_kept(page)))


def _keepers(flow: Flow) -> set[str]:
    nodes = flow.published.document["nodes"] if flow.published else ()
    return {node["id"] for node in nodes if node["type"] == _KEEPER}


def _rows(found: list[Kept]) -> Any:
    lines = [
        {
            "key": one.key,
            "value": one.value,
            "kept_at": moment(one.at),
            "until": None if one.until is None else moment(one.until),
        }
        for one in found
    ]
    return shown(KeptShape, lines)
