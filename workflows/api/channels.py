"""Channels: the logs that programs and flows write to and read."""

from typing import Any

from django.db import IntegrityError
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import DELETE, EDIT, READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.channelshapes import ChannelChange, ChannelShape, NewChannel
from workflows.api.paging import listed
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.models import Channel
from workflows.storage import channeledits, channels, figures, indexed


def _rows(found: list[Channel]) -> list[dict[str, Any]]:
    how = figures.of_channels([channel.pk for channel in found])
    fields = indexed.of_channels([channel.pk for channel in found])
    lines = [
        {
            "slug": channel.slug,
            "name": channel.name,
            "partitions": channel.partitions,
            "retention_days": channel.retention_days,
            "lag_limit": channel.lag_limit,
            "lag_policy": channel.lag_policy,
            "key_expression": channel.key_expression,
            "indexed_fields": [field.path for field in fields[channel.pk]],
            "indexes": [
                {"field": field.path, "whole": field.is_whole, "since": field.since}
                for field in fields[channel.pk]
            ],
            "inbox_of": channel.flow.slug if channel.flow else None,
            "events": how[channel.pk].events,
            "lag": how[channel.pk].lag,
            "readers": [reader._asdict() for reader in how[channel.pk].readers],
            "created_at": channel.created_at,
        }
        for channel in found
    ]
    return list(shown(ChannelShape, lines))


class ChannelList(ApiView):
    @operation(
        "list_channels",
        "List channels, inboxes of flows included",
        READ_FLOWS,
        ChannelShape,
        page=True,
    )
    def get(self, request: Request) -> Response:
        return listed(request, channels.of_workspace(self.caller.workspace_id), "slug", _rows)

    @operation(
        "create_channel",
        "Create a channel",
        EDIT,
        ChannelShape,
        status=201,
        body=NewChannel,
        also={409: "The slug is taken."},
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, NewChannel)
        slug = body.pop("slug")
        try:
            made = channeledits.make(self.caller.workspace_id, slug, **{"name": slug, **body})
        except IntegrityError:
            raise Problem(409, f"There is a channel {slug} already.", field="slug") from None
        return Response(
            _rows([made])[0], status=201, headers={"Location": f"/api/v1/channels/{slug}"}
        )


class OneChannel(ApiView):
    @operation("read_channel", "Read a channel", READ_FLOWS, ChannelShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_rows([self.channel(slug)])[0])

    @operation(
        "change_channel",
        "Change a channel; its partitions are fixed",
        EDIT,
        ChannelShape,
        body=ChannelChange,
        also={409: "A flow stands in the way of another key."},
    )
    def patch(self, request: Request, slug: str) -> Response:
        channel = self.channel(slug)
        try:
            channeledits.change(channel, **read_body(request, ChannelChange))
        except channeledits.InUse as used:
            raise Problem(409, str(used), field="key_expression") from None
        return Response(_rows([channel])[0])

    @operation(
        "delete_channel",
        "Delete a shared channel with its events",
        DELETE,
        status=204,
        also={409: "A flow reads it, or has unfinished work from it."},
    )
    def delete(self, request: Request, slug: str) -> Response:
        channel = self.channel(slug)
        try:
            channeledits.remove(channel)
        except channeledits.InUse as used:
            raise Problem(409, str(used)) from None
        return Response(status=204)
