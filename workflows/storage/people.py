"""Who is asking, and what may they do?"""

import hashlib
import secrets
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from workflows.models import ApiToken, Membership, Workspace
from workflows.storage import sql

SCOPES = ("events:write", "flows:read", "flows:write", "traces:read", "admin")
ROLES = ("viewer", "editor", "operator", "owner")  # each may do all that the ones before it may
MAIN = "main"


class TokenRow(NamedTuple):
    """A token that is valid now."""

    id: int
    workspace_id: int
    workspace: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


def token_name(token_id: int) -> str:
    """The name that people gave a token; "" when it is gone."""
    return ApiToken.objects.filter(pk=token_id).values_list("name", flat=True).first() or ""


def main_workspace() -> Workspace:
    """The workspace that always exists."""
    return Workspace.objects.get_or_create(slug=MAIN, defaults={"name": "Main"})[0]


def digest_of_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(
    workspace_id: int, name: str, scopes: Sequence[str], user_id: int | None = None
) -> tuple[str, ApiToken]:
    """A new token: its text, to be shown once, and its row. Raises ValueError for bad scopes."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"Unknown scopes {unknown}: use some of {', '.join(SCOPES)}.")
    token = f"ef_{secrets.token_urlsafe(32)}"
    row = ApiToken.objects.create(
        workspace_id=workspace_id,
        name=name[:120],
        prefix=token[:10],
        digest=digest_of_token(token),
        scopes=sorted(set(scopes)),
        created_by_id=user_id,
    )
    return token, row


def find_token(token: str) -> TokenRow | None:
    """The valid token of that text, or None. Notes about once a minute that it was used."""
    row = (
        ApiToken.objects.select_related("workspace")
        .filter(digest=digest_of_token(token), revoked_at=None)
        .first()
    )
    if row is None:
        return None
    now = timezone.now()
    if row.last_used_at is None or (now - row.last_used_at).total_seconds() > 60:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return TokenRow(row.pk, row.workspace_id, row.workspace.slug, frozenset(row.scopes))


def revoke_token(row: ApiToken) -> None:
    """Refuse it from now on (within seconds, everywhere)."""
    ApiToken.objects.filter(pk=row.pk).update(revoked_at=timezone.now())


def tokens_of(workspace_id: int) -> QuerySet[ApiToken]:
    """The valid tokens of a workspace, newest first, each with who made it."""
    found = ApiToken.objects.filter(workspace_id=workspace_id, revoked_at=None)
    return found.select_related("created_by").order_by("-id")


def token_of(workspace_id: int, number: int) -> ApiToken | None:
    """The valid token of that number in a workspace."""
    return tokens_of(workspace_id).filter(pk=number).first()


def role_of(user_id: int | None, workspace_id: int) -> str | None:
    """The person's role there, or None for a stranger or one who may no longer log in."""
    if user_id is None:
        return None
    return (
        Membership.objects.filter(user_id=user_id, workspace_id=workspace_id, user__is_active=True)
        .values_list("role", flat=True)
        .first()
    )


def logged_in(session_key: str | None) -> int | None:
    """Who is logged in by this session now: nobody after a log-out, or with another password."""
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user_id: int | None = get_user(request).pk
    return user_id


def at_least(role: str | None, needed: str) -> bool:
    """Whether `role` may do what `needed` may."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


def workspace(workspace_id: int) -> Workspace:
    """The workspace of that id, which must exist."""
    return Workspace.objects.get(pk=workspace_id)


def workspace_id_of(slug: str) -> int | None:
    rows = sql.fetch("SELECT id FROM workflows_workspace WHERE slug = %s", (slug,))
    return int(rows[0][0]) if rows else None
