"""Which channels are there, what is in them, and who reads them? A fixed number of queries."""

from typing import NamedTuple

from django.db.models import Sum

from workflows.models import Channel, Head, Subscription
from workflows.storage import cursors


class Line(NamedTuple):
    """A channel as the list shows it. `lag`: events that its slowest reader is behind."""

    channel: Channel
    events: int
    lag: int
    readers: tuple[Subscription, ...]


def lines(workspace_id: int) -> list[Line]:
    """All channels of a workspace, by slug."""
    channels = list(
        Channel.objects.filter(workspace_id=workspace_id).select_related("flow").order_by("slug")
    )
    counts = {
        channel_id: head - tail
        for channel_id, head, tail in Head.objects.filter(channel__workspace_id=workspace_id)
        .values_list("channel_id")
        .annotate(head=Sum("head"), tail=Sum("tail"))
    }
    readers: dict[int, list[Subscription]] = {}
    for one in (
        Subscription.objects.filter(channel__workspace_id=workspace_id)
        .exclude(state=Subscription.State.CLOSED)
        .select_related("flow")
        .order_by("flow__name", "node")
    ):
        readers.setdefault(one.channel_id, []).append(one)
    lags = cursors.lag_of_channels()
    return [
        Line(
            channel,
            int(counts.get(channel.pk, 0)),
            lags.get(channel.pk, 0),
            tuple(readers.get(channel.pk, ())),
        )
        for channel in channels
    ]
