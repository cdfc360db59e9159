"""Node types: what flows can be made of, on this installation."""

from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.paging import page_of_few
from workflows.api.problems import Problem
from workflows.api.schema import operation
from workflows.api.shapes import NodeTypeShape
from workflows.nodes.registry import catalog


class NodeTypeList(ApiView):
    @operation("list_node_types", "List node types", READ_FLOWS, NodeTypeShape, page=True)
    def get(self, request: Request) -> Response:
        return page_of_few(request, catalog(), "type", NodeTypeShape)


class OneNodeType(ApiView):
    @operation(
        "read_node_type", "Read a node type, with the schema of its form", READ_FLOWS, NodeTypeShape
    )
    def get(self, request: Request, node_type: str) -> Response:
        for entry in catalog():
            if entry["type"] == node_type:
                return Response(shown(NodeTypeShape, entry))
        raise Problem(404, f"There is no node type {node_type[:60]!r} here.")
