"""Who belongs to a workspace, and with which role?"""

from django import forms
from django.contrib import messages
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from workflows.models import Membership
from workflows.storage import members as kept
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
    joined = kept.add(here.workspace_id, name, role)
    if not joined.is_new:
        form.add_error("username", f"{name} is a member already: change the role in the list.")
        return _members_page(request, here, form)
    if joined.password:
        return _members_page(request, here, NewMember(), (name, joined.password))
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
    try:
        name = kept.change_role(here.workspace_id, number, role)
    except kept.LastOwner:
        messages.error(request, _LAST_OWNER)
    else:
        _say(request, name, f"{name} is now {role}.")
    return redirect("members", here.workspace)


@require_POST
@member("owner")
def remove(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """End a membership; the login itself stays. The last owner stays too."""
    try:
        name = kept.remove(here.workspace_id, number)
    except kept.LastOwner:
        messages.error(request, _LAST_OWNER)
    else:
        _say(request, name, f"Removed {name}.")
    return redirect("members", here.workspace)


def _say(request: HttpRequest, name: str | None, says: str) -> None:
    """Tell what was done to the member. Raises a 404 when there was none."""
    if name is None:
        raise Http404(NOT_HERE)
    messages.success(request, says)


def _members_page(
    request: HttpRequest,
    here: Here,
    form: NewMember,
    created: tuple[str, str] | None = None,
) -> HttpResponse:
    context: dict[str, object] = {
        "members": kept.of_workspace(here.workspace_id),
        "roles": ROLES,
        "form": form,
        "created": created,
    }
    response = settings_page(request, here, "members", "Members", context, bool(form.errors))
    response["Cache-Control"] = "no-store"
    return response
