"""Who may open this page? A member of the workspace in its address, with the role it needs."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url

from workflows.models import Flow
from workflows.storage import flowrows, members, people

P = ParamSpec("P")
LAST_WORKSPACE = "workspace"  # in the session: where `home` leads
NOT_HERE = "There is no such page, or it isn't yours to see."


class Here(msgspec.Struct, frozen=True):
    """Where a person is, and what they may do there."""

    workspace_id: int
    workspace: str  # slug
    name: str
    role: str
    user_id: int

    def may(self, role: str) -> bool:
        """Whether the person may do what `role` may."""
        return people.at_least(self.role, role)

    @property
    def can_edit(self) -> bool:
        return self.may("editor")

    @property
    def can_operate(self) -> bool:
        return self.may("operator")

    @property
    def can_own(self) -> bool:
        return self.may("owner")


def member(
    needed: str,
) -> Callable[[Callable[Concatenate[HttpRequest, Here, P], HttpResponse]], Callable[..., Any]]:
    """The view gets a `Here` for the address's `workspace`.

    Who isn't logged in is led to the login; who isn't a member gets a 404, as if there were
    nothing; a member whose role is too low gets a 403 that says what is missing.
    """

    def decorate(
        view: Callable[Concatenate[HttpRequest, Here, P], HttpResponse],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(
            request: HttpRequest, workspace: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            here = _look_up(request.user.pk, workspace)
            if here is None:
                raise Http404(NOT_HERE)
            if not here.may(needed):
                raise PermissionDenied(
                    f"This needs the role of {needed}, and yours is {here.role}."
                    f" An owner of {here.name} can change that under Settings, Members."
                )
            if request.session.get(LAST_WORKSPACE) != workspace:
                request.session[LAST_WORKSPACE] = workspace
            return view(request, here, *args, **kwargs)

        return guarded

    return decorate


def flow_or_404(here: Here, slug: str) -> Flow:
    """The flow of that slug in this workspace, with its workspace and published version."""
    flow = flowrows.find(here.workspace_id, slug)
    if flow is None:
        raise Http404(NOT_HERE)
    return flow


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page it shows."""
    return request.headers.get("HX-Request") == "true"


def _look_up(user_id: int, workspace: str) -> Here | None:
    found = members.find(user_id, workspace)
    if found is None:
        return None
    place = found.workspace
    return Here(place.pk, place.slug, place.name, found.role, user_id)


def _to_login(request: HttpRequest) -> HttpResponse:
    login = resolve_url(settings.LOGIN_URL)
    if is_htmx(request):  # a page left open: the whole of it goes to the login
        return HttpResponse(status=401, headers={"HX-Redirect": login})
    after = {"next": request.get_full_path()} if request.method == "GET" else {}
    return redirect(f"{login}?{urlencode(after)}" if after else login)
