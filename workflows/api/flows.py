"""Flows: which there are, and how each one is doing."""

from typing import Any

from django.db import IntegrityError
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import DELETE, EDIT, OPERATE, READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.paging import listed
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.api.shapes import FlowChange, FlowShape, NewFlow, StateShape, TotalsShape
from workflows.models import Flow
from workflows.storage import cursors, figures, flowedits, flowrows, flows
from workflows.traces import rows


def _rows(found: list[Flow]) -> list[dict[str, Any]]:
    how = figures.of_flows([flow.pk for flow in found])
    lines = [
        {
            "slug": flow.slug,
            "name": flow.name,
            "description": flow.description,
            "paused": flow.paused,
            "published": flow.published.number if flow.published else None,
            "lag": how[flow.pk].lag,
            "dead_letters": how[flow.pk].dead,
            "failing_timers": how[flow.pk].failing,
            "created_at": flow.created_at,
        }
        for flow in found
    ]
    return list(shown(FlowShape, lines))


class FlowList(ApiView):
    @operation("list_flows", "List flows, by slug", READ_FLOWS, FlowShape, page=True)
    def get(self, request: Request) -> Response:
        return listed(request, flowrows.of_workspace(self.caller.workspace_id), "slug", _rows)

    @operation(
        "create_flow",
        "Create a flow with an empty draft",
        EDIT,
        FlowShape,
        status=201,
        body=NewFlow,
        also={409: "The slug is taken."},
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, NewFlow)
        document = flows.empty_document(body["slug"], body["name"])
        document["description"] = body.get("description", "")
        try:
            flow = flows.create(self.caller.workspace_id, body["slug"], body["name"], document)
        except IntegrityError:
            raise Problem(409, f"There is a flow {body['slug']} already.", field="slug") from None
        return Response(
            _rows([flow])[0], status=201, headers={"Location": f"/api/v1/flows/{flow.slug}"}
        )


class OneFlow(ApiView):
    @operation("read_flow", "Read a flow", READ_FLOWS, FlowShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_rows([self.flow(slug)])[0])

    @operation("change_flow", "Rename or describe a flow", EDIT, FlowShape, body=FlowChange)
    def patch(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        changes = read_body(request, FlowChange)
        try:
            flowedits.change(flow, changes, self.caller.user_id)
        except flows.Changed:
            raise Problem(409, "Somebody keeps saving the draft: try again.") from None
        return Response(_rows([flow])[0])

    @operation(
        "delete_flow", "Delete a flow with its inboxes, traces and dead letters", DELETE, status=204
    )
    def delete(self, request: Request, slug: str) -> Response:
        flows.delete(self.flow(slug))
        return Response(status=204)


class FlowState(ApiView):
    @operation("read_flow_state", "Read whether a flow is paused", READ_FLOWS, StateShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response({"paused": self.flow(slug).paused})

    @operation(
        "set_flow_state", "Pause a flow, or let it go on", OPERATE, StateShape, body=StateShape
    )
    def post(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        paused = read_body(request, StateShape)["paused"]
        flows.set_paused(flow, paused)
        return Response({"paused": paused})


class FlowTotals(ApiView):
    @operation(
        "read_flow_totals", "Read a flow's counters since it exists", READ_FLOWS, TotalsShape
    )
    def get(self, request: Request, slug: str) -> Response:
        flow_id = self.flow(slug).pk
        return Response({**rows.totals(flow_id), "lag": cursors.lag_of_flow(flow_id)})
