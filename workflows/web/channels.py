"""Channels: what is in them, who reads them, and a new one."""

from django import forms
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from workflows.engine import names
from workflows.storage import channeledits, channels, figures
from workflows.web.access import Here, member
from workflows.web.context import Crumb, form_page, page, part, wants
from workflows.web.naming import refusing


class NewChannel(forms.Form):
    slug = forms.CharField(
        error_messages={"required": "Give the channel a name."},
        validators=[refusing(names.channel_refusal)],
    )
    partitions = forms.IntegerField(min_value=1, max_value=64, initial=channels.DEFAULT_PARTITIONS)
    retention_days = forms.IntegerField(min_value=1, max_value=3650, initial=7)


@require_GET
@member("viewer")
def channel_list(request: HttpRequest, here: Here) -> HttpResponse:
    """Shared channels first, the private inboxes of producers apart."""
    found = list(channels.of_workspace(here.workspace_id))
    how = figures.of_channels([channel.pk for channel in found])
    context = {
        "shared": [(one, how[one.pk]) for one in found if one.flow_id is None],
        "private": [(one, how[one.pk]) for one in found if one.flow_id is not None],
    }
    template = "workflows/channels/list.html"
    if wants(request, "rows"):
        return part(request, here, template, "rows", context)
    return page(request, here, template, context, section="channels", crumbs=[Crumb("Channels")])


@require_http_methods(["GET", "POST"])
@member("editor")
def new(request: HttpRequest, here: Here) -> HttpResponse:
    """A shared channel that flows and programs can write to and read."""
    form = NewChannel(request.POST or None)
    if request.method == "POST" and form.is_valid():
        settings = {"name": form.cleaned_data["slug"], **form.cleaned_data}
        try:
            made = channeledits.make(here.workspace_id, **settings)
        except IntegrityError:
            form.add_error("slug", "There is a channel of that name already.")
        else:
            messages.success(request, f"Made the channel {made.slug}.")
            return redirect("channels", here.workspace)
    return form_page(
        request, here, "workflows/channels/new.html", form, section="channels", title="New channel"
    )
