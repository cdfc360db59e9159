"""Who may come in: tokens, connections, and the caller's own standing."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import ANYBODY, OWN, READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.paging import listed, page_of_few
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.api.shapes import (
    ConnectionBody,
    ConnectionShape,
    CreatedTokenShape,
    MeShape,
    NewConnection,
    NewToken,
    TokenShape,
    WorkspaceShape,
)
from workflows.models import Connection
from workflows.storage import connections, members, people


class TokenList(ApiView):
    @operation("list_tokens", "List valid tokens, newest first", OWN, TokenShape, page=True)
    def get(self, request: Request) -> Response:
        found = people.tokens_of(self.caller.workspace_id)
        return listed(request, found, "id", lambda rows: shown(TokenShape, rows), newest_first=True)

    @operation(
        "create_token",
        "Create a token; its text is in this answer only",
        OWN,
        CreatedTokenShape,
        status=201,
        body=NewToken,
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, NewToken)
        text, row = people.create_token(
            self.caller.workspace_id, body["name"], body["scopes"], self.caller.user_id
        )
        return Response(
            {**shown(TokenShape, row), "token": text},
            status=201,
            headers={"Cache-Control": "no-store"},
        )


class OneToken(ApiView):
    @operation("revoke_token", "Revoke a token: refused everywhere within seconds", OWN, status=204)
    def delete(self, request: Request, number: int) -> Response:
        row = people.token_of(self.caller.workspace_id, number)
        if row is None:
            raise Problem(404, f"There is no valid token {number} in this workspace.")
        people.revoke_token(row)
        return Response(status=204)


class ConnectionList(ApiView):
    @operation("list_connections", "List connections", READ_FLOWS, ConnectionShape, page=True)
    def get(self, request: Request) -> Response:
        found = connections.of_workspace(self.caller.workspace_id)
        return listed(request, found, "name", lambda rows: shown(ConnectionShape, rows))

    @operation(
        "create_connection",
        "Store a secret under a name that flows can use",
        OWN,
        ConnectionShape,
        status=201,
        body=NewConnection,
        also={409: "The name is taken."},
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, NewConnection)
        row = connections.create(self.caller.workspace_id, **body)
        if row is None:
            says = f"There is a connection {body['name']} already."
            raise Problem(409, says, field="name")
        return Response(shown(ConnectionShape, row), status=201)


class OneConnection(ApiView):
    @operation(
        "replace_connection",
        "Replace a connection's secret",
        OWN,
        ConnectionShape,
        body=ConnectionBody,
    )
    def put(self, request: Request, name: str) -> Response:
        self._find(name)
        body = read_body(request, ConnectionBody)
        connections.keep(self.caller.workspace_id, name, **body)
        return Response(shown(ConnectionShape, self._find(name)))

    @operation("delete_connection", "Delete a connection", OWN, status=204)
    def delete(self, request: Request, name: str) -> Response:
        self._find(name)
        connections.delete(self.caller.workspace_id, name)
        return Response(status=204)

    def _find(self, name: str) -> Connection:
        row = connections.find(self.caller.workspace_id, name)
        if row is None:
            raise Problem(404, f"There is no connection {name[:60]!r} in this workspace.")
        return row


def _workspaces(view: ApiView) -> list[dict[str, Any]]:
    """The caller's workspaces, by slug: a token has one."""
    if view.caller.token is not None:
        row = people.workspace(view.caller.workspace_id)
        return [{"slug": row.slug, "name": row.name, "role": None}]
    return [
        {"slug": one.workspace.slug, "name": one.workspace.name, "role": one.role}
        for one in members.of_person(view.caller.user_id or 0)
    ]


class WorkspaceList(ApiView):
    anywhere = True

    @operation("list_workspaces", "List your workspaces", ANYBODY, WorkspaceShape, page=True)
    def get(self, request: Request) -> Response:
        return page_of_few(request, _workspaces(self), "slug", WorkspaceShape)


class Me(ApiView):
    anywhere = True

    @operation("read_me", "Read who you are and what you may do", ANYBODY, MeShape)
    def get(self, request: Request) -> Response:
        token = self.caller.token
        body = {
            "username": None if token else request.user.get_username(),
            "scopes": sorted(token.scopes) if token else None,
            "workspaces": _workspaces(self),
        }
        return Response(shown(MeShape, body))
