"""A workspace's settings: the tokens of programs, the connections of flows, the look of pages."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workflows.engine import names
from workflows.storage import connections as kept
from workflows.storage import people
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, page
from workflows.web.naming import refusing

SCOPES = (
    ("events:write", "Send events"),
    ("flows:read", "Read flows"),
    ("flows:write", "Change and publish flows"),
    ("traces:read", "Read events, traces and figures"),
    ("admin", "Everything in this workspace"),
)


class NewToken(forms.Form):
    name = forms.CharField(
        max_length=120, error_messages={"required": "Name the program that will use it."}
    )
    scopes = forms.MultipleChoiceField(
        choices=SCOPES, error_messages={"required": "Choose what the token may do."}
    )


class NewConnection(forms.Form):
    name = forms.CharField(
        validators=[refusing(names.connection_refusal)],
        error_messages={"required": "Name the connection; flows refer to it by this name."},
    )
    secret = forms.CharField(
        max_length=10_000, strip=False, error_messages={"required": "Enter the secret."}
    )
    note = forms.CharField(max_length=200, required=False)


@require_GET
@member("viewer")
def settings(request: HttpRequest, here: Here) -> HttpResponse:
    """The first settings that this person may see."""
    return redirect("tokens" if here.can_own else "members", here.workspace)


@require_http_methods(["GET", "POST"])
@member("owner")
def tokens(request: HttpRequest, here: Here) -> HttpResponse:
    """All valid tokens; a new one is shown once, in the answer to the form."""
    form, created = NewToken(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        name, scopes = form.cleaned_data["name"], form.cleaned_data["scopes"]
        created, _ = people.create_token(here.workspace_id, name, scopes, here.user_id)
        form = NewToken()
    context: dict[str, object] = {
        "tokens": people.tokens_of(here.workspace_id),
        "created": created,
        "form": form,
        "scopes": SCOPES,
    }
    response = settings_page(request, here, "tokens", "Tokens", context, bool(form.errors))
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@member("owner")
def revoke_token(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    """The token is refused from now on."""
    token = people.token_of(here.workspace_id, number)
    if token is None:
        raise Http404(NOT_HERE)
    people.revoke_token(token)
    messages.success(request, f"Revoked {token.name}. It is refused within seconds.")
    return redirect("tokens", here.workspace)


@require_http_methods(["GET", "POST"])
@member("owner")
def connections(request: HttpRequest, here: Here) -> HttpResponse:
    """Names and notes; a secret can be replaced but is never shown."""
    form = NewConnection(request.POST or None)
    if request.method == "POST" and form.is_valid():
        kept.keep(here.workspace_id, **form.cleaned_data)
        messages.success(request, f"Kept the secret of {form.cleaned_data['name']}.")
        return redirect("connections", here.workspace)
    found = kept.of_workspace(here.workspace_id)
    context: dict[str, object] = {"connections": found, "form": form}
    return settings_page(request, here, "connections", "Connections", context, bool(form.errors))


@require_POST
@member("owner")
def delete_connection(request: HttpRequest, here: Here, name: str) -> HttpResponse:
    """Flows that name it can't be published until it is there again."""
    if not kept.delete(here.workspace_id, name):
        raise Http404(NOT_HERE)
    messages.success(request, f"Deleted {name}.")
    return redirect("connections", here.workspace)


@require_GET
@member("viewer")
def appearance(request: HttpRequest, here: Here) -> HttpResponse:
    """Light, dark, or as the system says; kept in the browser."""
    return settings_page(request, here, "appearance", "Appearance", {})


def settings_page(
    request: HttpRequest,
    here: Here,
    tab: str,
    title: str,
    context: dict[str, object],
    is_wrong: bool = False,
) -> HttpResponse:
    """One of the settings, with the tabs that lead to the others."""
    crumbs = [Crumb("Settings", reverse("settings", args=[here.workspace])), Crumb(title)]
    return page(
        request,
        here,
        f"workflows/settings/{tab}.html",
        {**context, "tab": tab},
        section="settings",
        crumbs=crumbs,
        status=422 if is_wrong else 200,
    )
