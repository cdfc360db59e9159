"""Who belongs to a workspace, with which role, and how does that change?"""

import secrets
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from workflows.models import Membership, Workspace


class LastOwner(Exception):
    """The workspace would be left without an owner who can log in."""


class Joined(NamedTuple):
    """What came of adding a person."""

    is_new: bool  # False: a member already, and nothing was changed
    password: str  # of a login made just now; "" when the person had one


def of_workspace(workspace_id: int) -> QuerySet[Membership]:
    """All memberships of a workspace by user name, each with its user."""
    found = Membership.objects.filter(workspace_id=workspace_id)
    return found.select_related("user").order_by("user__username")


def of_person(user_id: int) -> QuerySet[Membership]:
    """All memberships of a person by the workspace's slug, each with its workspace."""
    found = Membership.objects.filter(user_id=user_id)
    return found.select_related("workspace").order_by("workspace__slug")


def find(user_id: int, workspace: str) -> Membership | None:
    """A person's membership in the workspace of that slug, with the workspace; None for a stranger
    or one who may no longer log in."""
    found = Membership.objects.select_related("workspace")
    return found.filter(workspace__slug=workspace, user_id=user_id, user__is_active=True).first()


@transaction.atomic
def add(workspace_id: int, username: str, role: str) -> Joined:
    """Let a person join; a name that nobody has gets a login with a random password."""
    users = get_user_model().objects
    user, password = users.filter(username=username).first(), ""
    if user is None:
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        user = users.create_user(username, password=password)
    _, is_new = Membership.objects.get_or_create(
        workspace_id=workspace_id, user=user, defaults={"role": role}
    )
    return Joined(is_new, password)


@transaction.atomic
def change_role(workspace_id: int, number: int, role: str) -> str | None:
    """Give the member of that number another role; their user name, or None when there is no such
    member. Raises LastOwner."""
    found = _lock_and_find(workspace_id, number)
    if found is None:
        return None
    if role != Membership.Role.OWNER:
        _check_other_owner(found)
    Membership.objects.filter(pk=found.pk).update(role=role)
    return found.user.get_username()


@transaction.atomic
def remove(workspace_id: int, number: int) -> str | None:
    """End the membership of that number; the user name, or None when there is no such member. The
    login stays. Raises LastOwner."""
    found = _lock_and_find(workspace_id, number)
    if found is None:
        return None
    _check_other_owner(found)
    found.delete()
    return found.user.get_username()


def _lock_and_find(workspace_id: int, number: int) -> Membership | None:
    """The membership, with the workspace locked: two owners can't demote each other at once."""
    Workspace.objects.select_for_update().get(pk=workspace_id)
    return of_workspace(workspace_id).filter(pk=number).first()


def _check_other_owner(found: Membership) -> None:
    owners = of_workspace(found.workspace_id).filter(
        role=Membership.Role.OWNER, user__is_active=True
    )
    if found.role == Membership.Role.OWNER and not owners.exclude(pk=found.pk).exists():
        raise LastOwner
