"""Who is asking, and what may they do here? A program by its token, a person by their role."""

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from workflows.api.problems import Problem
from workflows.storage import people
from workflows.storage.people import TokenRow

if TYPE_CHECKING:  # it imports this module, by way of the settings
    from workflows.api.base import ApiView

_LONGEST_TOKEN = 200


class Need(NamedTuple):
    """What a request needs: this scope of a token, or this role of a person."""

    scope: str
    role: str


READ_FLOWS = Need("flows:read", "viewer")
READ_TRACES = Need("traces:read", "viewer")
EDIT = Need("flows:write", "editor")
SEND = Need("events:write", "editor")
DELETE = Need("flows:write", "owner")
OPERATE = Need("admin", "operator")
OWN = Need("admin", "owner")
ANYBODY = Need("", "viewer")  # with a valid token or session


class Caller(msgspec.Struct, frozen=True):
    """Who is asking, and in which workspace: a token, or a member with a role."""

    workspace_id: int
    workspace: str
    token: TokenRow | None = None
    role: str | None = None
    user_id: int | None = None

    def check(self, need: Need) -> None:
        """Raises a 403 that says which scope or role is missing."""
        if self.token is not None:
            if need.scope and not self.token.may(need.scope):
                raise Problem(403, f"This token lacks the scope {need.scope}.", scope=need.scope)
        elif not people.at_least(self.role, need.role):
            raise Problem(
                403,
                f"This needs the role of {need.role}, and yours is {self.role}:"
                f" an owner of {self.workspace} can change that.",
                role=need.role,
            )


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ef_…`. Looked up each time, so a revoked token is refused at once."""

    def authenticate(self, request: Request) -> tuple[Any, TokenRow] | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        row = people.find_token(text.strip()[:_LONGEST_TOKEN])
        if row is None:
            raise AuthenticationFailed(
                "This token isn't valid (any more). Make one under Settings, or with"
                " manage.py token."
            )
        return None, row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="eventflow"'


class InWorkspace(BasePermission):
    """Lets a caller in who has what the view's method needs; the view learns its `caller`.

    A workspace that isn't the caller's looks as if it weren't there.
    """

    def has_permission(self, request: Request, view: "ApiView") -> bool:  # type: ignore[override]
        if request.auth is None and request.user is None:
            raise NotAuthenticated
        view.caller = _find(request, view.anywhere)
        if view.told is not None:  # otherwise the view has no such method, and says so
            view.caller.check(view.told.need)
        return True


def _find(request: Request, anywhere: bool) -> Caller:
    wanted = request.query_params.get("workspace")
    if isinstance(request.auth, TokenRow):
        token = request.auth
        if wanted not in (None, token.workspace):
            raise Problem(404, f"This token belongs to the workspace {token.workspace}.")
        return Caller(token.workspace_id, token.workspace, token=token)
    user_id = request.user.pk
    if anywhere:
        return Caller(0, "", role="viewer", user_id=user_id)
    slug = people.MAIN if wanted is None else wanted
    workspace_id = None if "\0" in slug else people.workspace_id_of(slug)
    role = None if workspace_id is None else people.role_of(user_id, workspace_id)
    if workspace_id is None or role is None:
        raise Problem(404, "There is no such workspace, or it isn't yours: ?workspace=…")
    return Caller(workspace_id, slug, role=role, user_id=user_id)
