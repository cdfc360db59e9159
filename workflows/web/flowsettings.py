"""What holds for a whole flow: its name, whether it keeps order, and what a failure means."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from workflows.engine.causes import MOST_HOPS
from workflows.engine.compile import MOST_HOPS_SET
from workflows.storage import flowedits, flowrows, flows
from workflows.web.access import Here, flow_or_404, member
from workflows.web.context import flow_page

_ORDERING = [("none", "As fast as possible, in any order"), ("key", "In order, for each key")]
_ON_ERROR = [("retry", "Try failed calls again"), ("dead", "Make dead letters at once")]


class FlowSettings(forms.Form):
    name = forms.CharField(max_length=120, error_messages={"required": "Give the flow a name."})
    description = forms.CharField(max_length=10_000, required=False)
    ordering = forms.ChoiceField(choices=_ORDERING)
    on_error = forms.ChoiceField(choices=_ON_ERROR)
    most_hops = forms.IntegerField(min_value=1, max_value=MOST_HOPS_SET)


@require_http_methods(["GET", "POST"])
@member("editor")
def settings(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """The settings of the draft; they hold once it is published."""
    flow = flow_or_404(here, slug)
    known = flowrows.draft(flow).document.get("settings") or {}
    initial = {
        "name": flow.name,
        "description": flow.description,
        "ordering": known.get("ordering", "none"),
        "on_error": known.get("on_error", "retry"),
        "most_hops": known.get("most_hops", MOST_HOPS),
    }
    form = FlowSettings(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = dict(form.cleaned_data)
        changes = {name: given.pop(name) for name in ("name", "description")}
        if given["most_hops"] == MOST_HOPS:
            del given["most_hops"]
        others = {name: value for name, value in known.items() if name not in initial}
        try:
            flowedits.change(flow, {**changes, "settings": {**others, **given}}, here.user_id)
        except flows.Changed:
            form.add_error(None, "Somebody is saving the draft right now: try again.")
        else:
            messages.success(request, "Saved in the draft. Publish it to let it hold.")
            return redirect("flow", here.workspace, slug)
    status = 422 if form.errors else 200
    return flow_page(request, here, flow, "settings", "Settings", {"form": form}, status)
