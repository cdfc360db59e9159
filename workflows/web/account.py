"""A person's own pages: in, out, home, and another password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_GET

from workflows.storage import members, people
from workflows.web import throttle
from workflows.web.access import LAST_WORKSPACE

_DEMO = "demo"


class Login(LoginView):
    template_name = "workflows/account/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Look at the password, unless there were too many tries."""
        wait = throttle.enter(self._limits())
        if not wait:
            return super().post(request, *args, **kwargs)
        form = AuthenticationForm(request, initial={"username": self._username()})
        context = self.get_context_data(form=form, wait=wait)
        headers = {"Retry-After": str(wait)}
        return self.response_class(
            request, self.get_template_names(), context, status=429, headers=headers
        )

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        throttle.succeeded(self._limits())
        return super().form_valid(form)

    def _username(self) -> str:
        return self.request.POST.get("username", "")[:150]

    def _limits(self) -> list[throttle.Limit]:
        return throttle.limits(self._username(), self.request.META.get("REMOTE_ADDR") or "")


class Password(PasswordChangeView):
    template_name = "workflows/account/password.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed.")
        return super().form_valid(form)


login = Login.as_view()
logout = LogoutView.as_view()
password = login_required(Password.as_view())


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The workspace visited last, else the demo, else the main one, else any."""
    mine = [one.workspace.slug for one in members.of_person(request.user.pk or 0)]
    for slug in (request.session.get(LAST_WORKSPACE), _DEMO, people.MAIN, *mine):
        if slug in mine:
            return redirect("flows", slug)
    return render(request, "workflows/account/nowhere.html", status=403)
