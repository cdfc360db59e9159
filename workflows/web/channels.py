"""Channels: what is in them, who reads them, and a new one."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from workflows.models import Channel
from workflows.storage import channels
from workflows.web import channelrows
from workflows.web.access import Here, member
from workflows.web.context import Crumb, page, part, wants
from workflows.web.naming import check_channel


class NewChannel(forms.Form):
    slug = forms.CharField(
        max_length=60,
        error_messages={"required": "Give the channel a name."},
        validators=[check_channel],
    )
    partitions = forms.IntegerField(min_value=1, max_value=64, initial=channels.DEFAULT_PARTITIONS)
    retention_days = forms.IntegerField(min_value=1, max_value=3650, initial=7)

    def __init__(self, *args: object, workspace_id: int, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._workspace_id = workspace_id

    def clean_slug(self) -> str:
        """A slug that no channel has yet."""
        slug = str(self.cleaned_data["slug"])
        if Channel.objects.filter(workspace_id=self._workspace_id, slug=slug).exists():
            raise forms.ValidationError("There is a channel of that name already.")
        return slug


@require_GET
@member("viewer")
def channel_list(request: HttpRequest, here: Here) -> HttpResponse:
    """Shared channels first, the private inboxes of producers apart."""
    lines = channelrows.lines(here.workspace_id)
    context = {
        "shared": [line for line in lines if line.channel.flow_id is None],
        "private": [line for line in lines if line.channel.flow_id is not None],
    }
    template = "workflows/channels/list.html"
    if wants(request, "rows"):
        return part(request, here, template, "rows", context)
    return page(request, here, template, context, section="channels", crumbs=[Crumb("Channels")])


@require_http_methods(["GET", "POST"])
@member("editor")
def new(request: HttpRequest, here: Here) -> HttpResponse:
    """A shared channel that flows and programs can write to and read."""
    form = NewChannel(request.POST or None, workspace_id=here.workspace_id)
    if request.method == "POST" and form.is_valid():
        slug, values = form.cleaned_data["slug"], form.cleaned_data
        channel_id = channels.create(
            here.workspace_id, slug, name=slug, partitions=values["partitions"]
        )
        Channel.objects.filter(pk=channel_id).update(retention_days=values["retention_days"])
        channels.forget()
        messages.success(request, f"Made the channel {slug}.")
        return redirect("channels", here.workspace)
    crumbs = [
        Crumb("Channels", reverse("channels", args=[here.workspace])),
        Crumb("New channel"),
    ]
    return page(
        request,
        here,
        "workflows/channels/new.html",
        {"form": form},
        section="channels",
        crumbs=crumbs,
        status=422 if form.errors else 200,
    )
