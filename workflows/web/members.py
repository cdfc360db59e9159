"""Who belongs to a workspace, and with which role?"""

import secrets

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from workflows.models import Membership, Workspace
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.settings import settings_page

ROLES = (
    ("viewer", "Viewer", "sees everything"),
    ("editor", "Editor", "draws, publishes and tries flows"),
    ("operator", "Operator", "also pauses flows and redrives dead letters"),
    ("owner", "Owner", "also deletes flows, and manages tokens, connections and members"),
)
_LAST_OWNER = "A workspace needs an owner: make somebody else one first."


class NewMember(forms.Form):
    username = forms.CharField(
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        error_messages={"required": "Enter the person's user name."},
    )
    role = forms.ChoiceField(choices=Membership.Role.choices)


@require_http_methods(["GET"])
@member("viewer")
def members(request: HttpRequest, here: Here) -> HttpResponse:
    """Everybody in the workspace."""
    return _members_page(request, here, NewMember())


@require_POST
@member("owner")
def add(request: HttpRequest, here: Here) -> HttpResponse:
    """An existing user joins; a name that is new gets a login, its password shown once."""
    form = NewMember(request.POST)
    if not form.is_valid():
        return _members_page(request, here, form)
    name, role = form.cleaned_data["username"], form.cleaned_data["role"]
    users = get_user_model().objects
    password = ""
    with transaction.atomic():
        user = users.filter(username=name).first()
        if user is None:
            password = "-".join(secrets.token_hex(2) for _ in range(4))
            user = users.create_user(name, password=password)
        _, is_new = Membership.objects.get_or_create(
            workspace_id=here.workspace_id, user=user, defaults={"role": role}
        )
    if not is_new:
        form.add_error("username", f"{name} is a member already: change the role in the list.")
        return _members_page(request, here, form)
    if password:
        return _members_page(request, here, NewMember(), (name, password))
    messages.success(request, f"{name} is now {role} here.")
    return redirect("members", here.workspace)


@require_POST
@member("owner")
def change_role(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """Give a member another role; the last owner stays one."""
    role = request.POST.get("role", "")
    if role not in Membership.Role.values:
        messages.error(request, "Choose one of the roles.")
        return redirect("members", here.workspace)
    with transaction.atomic():
        found = _lock_and_find(here, number)
        if role != Membership.Role.OWNER and _is_last_owner(found):
            messages.error(request, _LAST_OWNER)
        else:
            Membership.objects.filter(pk=found.pk).update(role=role)
            messages.success(request, f"{found.user.get_username()} is now {role}.")
    return redirect("members", here.workspace)


@require_POST
@member("owner")
def remove(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """End a membership; the login itself stays. The last owner stays too."""
    with transaction.atomic():
        found = _lock_and_find(here, number)
        if _is_last_owner(found):
            messages.error(request, _LAST_OWNER)
        else:
            found.delete()
            messages.success(request, f"Removed {found.user.get_username()}.")
    return redirect("members", here.workspace)


def _lock_and_find(here: Here, number: int) -> Membership:
    """The membership, with the workspace locked: two owners can't demote each other at once."""
    Workspace.objects.select_for_update().get(pk=here.workspace_id)
    found = (
        Membership.objects.select_related("user")
        .filter(pk=number, workspace_id=here.workspace_id)
        .first()
    )
    if found is None:
        raise Http404(NOT_HERE)
    return found


def _is_last_owner(found: Membership) -> bool:
    if found.role != Membership.Role.OWNER:
        return False
    others = Membership.objects.filter(
        workspace_id=found.workspace_id, role=Membership.Role.OWNER, user__is_active=True
    )
    return not others.exclude(pk=found.pk).exists()


def _members_page(
    request: HttpRequest,
    here: Here,
    form: NewMember,
    created: tuple[str, str] | None = None,
) -> HttpResponse:
    found = Membership.objects.filter(workspace_id=here.workspace_id).select_related("user")
    context: dict[str, object] = {
        "members": found.order_by("user__username"),
        "roles": ROLES,
        "form": form,
        "created": created,
    }
    response = settings_page(request, here, "members", "Members", context, bool(form.errors))
    response["Cache-Control"] = "no-store"
    return response
