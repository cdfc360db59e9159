"""Channels: what is in them, who reads them, and a new one."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from workflows.engine import names
from workflows.engine.eventkey import key_refusal
from workflows.engine.indexing import fields_refusal
from workflows.storage import channeledits, channels, figures, indexed
from workflows.web.access import NOT_HERE, Here, member
from workflows.web.context import Crumb, asked, form_page, page, part, wants
from workflows.web.naming import refusing

_ON_A_PAGE = 50


def _key_field() -> forms.CharField:
    return forms.CharField(max_length=1_000, required=False, validators=[refusing(key_refusal)])


class FieldsField(forms.CharField):
    """Paths of indexed fields, one after the other."""

    def __init__(self) -> None:
        super().__init__(max_length=700, required=False)

    def to_python(self, value: object) -> Any:
        """The paths, checked; what `indexed_fields` of a channel takes."""
        paths = str(value or "").replace(",", " ").split()
        if says := fields_refusal(paths):
            raise forms.ValidationError(says)
        return paths


class NewChannel(forms.Form):
    slug = forms.CharField(
        error_messages={"required": "Give the channel a name."},
        validators=[refusing(names.channel_refusal)],
    )
    partitions = forms.IntegerField(min_value=1, max_value=64, initial=channels.DEFAULT_PARTITIONS)
    retention_days = forms.IntegerField(min_value=1, max_value=3650, initial=7)
    key_expression = _key_field()
    indexed_fields = FieldsField()


class ChannelSettings(forms.Form):
    retention_days = forms.IntegerField(min_value=1, max_value=3650)
    lag_limit = forms.IntegerField(min_value=1, max_value=10**12)
    lag_policy = forms.ChoiceField(choices=channels.LAG_POLICIES)
    key_expression = _key_field()
    indexed_fields = FieldsField()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@require_GET
@member("viewer")
def channel_list(request: HttpRequest, here: Here) -> HttpResponse:
    """Shared channels first, the private inboxes of producers apart; a page at a time."""
    named, after = asked(request, "q"), asked(request, "after")
    found, is_more = channels.page(here.workspace_id, named, after, _ON_A_PAGE)
    how = figures.of_channels([channel.pk for channel in found])
    lines = [(one, how[one.pk], _moment(how[one.pk].oldest)) for one in found]
    context = {
        "shared": [line for line in lines if line[0].flow_id is None],
        "private": [line for line in lines if line[0].flow_id is not None],
        "named": named,
        "after": after,
        "next": found[-1].slug if is_more else "",
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


@require_http_methods(["GET", "POST"])
@member("editor")
def settings(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """How long a channel keeps events, what orders them, and what a slow reader means."""
    channel = channels.get(here.workspace_id, slug)
    if channel is None:
        raise Http404(NOT_HERE)
    fields = indexed.of_channels([channel.pk])[channel.pk]
    now = {name: getattr(channel, name, None) for name in ChannelSettings.base_fields}
    now["indexed_fields"] = ", ".join(field.path for field in fields)
    form = ChannelSettings(request.POST or None, initial=now)
    if channel.flow_id is not None:
        del form.fields["key_expression"]
    if request.method == "POST" and form.is_valid():
        try:
            channeledits.change(channel, **form.cleaned_data)
        except channeledits.InUse as used:
            form.add_error("key_expression", str(used))
        else:
            messages.success(request, f"Saved the settings of {slug}.")
            return redirect("channels", here.workspace)
    crumbs = [Crumb("Channels", reverse("channels", args=[here.workspace])), Crumb(slug)]
    return page(
        request,
        here,
        "workflows/channels/settings.html",
        {
            "channel": channel,
            "form": form,
            "indexes": [(field, _moment(field.since)) for field in fields if not field.is_whole],
        },
        section="channels",
        crumbs=crumbs,
        status=422 if form.errors else 200,
    )
