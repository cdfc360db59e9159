"""How do people make, change and remove shared channels?"""

from typing import Any

from django.db import transaction

from workflows.models import Channel, Head, Subscription
from workflows.storage import channels, sql


class InUse(Exception):
    """The channel can't be removed; the text says why, and what to do."""


def make(workspace_id: int, slug: str, **settings: Any) -> Channel:
    """A new channel with its heads. Raises IntegrityError when the slug is taken."""
    with transaction.atomic():
        channel = Channel.objects.create(workspace_id=workspace_id, slug=slug, **settings)
        Head.objects.bulk_create(
            [Head(channel=channel, partition=i) for i in range(channel.partitions)]
        )
    channels.forget()
    return channel


def change(channel: Channel, **settings: Any) -> None:
    """Set name, retention or lag limit. The partitions of a channel never change."""
    for name, value in settings.items():
        setattr(channel, name, value)
    if settings:
        channel.save(update_fields=list(settings))
    channels.forget()


def remove(channel: Channel) -> None:
    """Delete a shared channel, its events, and their traces. Raises `InUse`."""
    if channel.flow_id is not None:
        raise InUse("This is the inbox of a flow's producer: it goes when the flow goes.")
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        subscriptions = list(Subscription.objects.filter(channel=channel).select_related("flow"))
        _check_unused(subscriptions)
        for one in subscriptions:
            for table in ("workflows_segment", "workflows_trace"):
                sql.execute(f"DELETE FROM {table} WHERE subscription_id = %s", (one.pk,))
        for table in ("workflows_event", "workflows_seen", "workflows_answer"):
            sql.execute(f"DELETE FROM {table} WHERE channel_id = %s", (channel.pk,))
        channel.delete()
    channels.forget()


def _check_unused(subscriptions: list[Subscription]) -> None:
    reading = sorted({one.flow.slug for one in subscriptions if one.state != "closed"})
    if reading:
        raise InUse(f"It is read by {', '.join(reading)}: let them read another channel first.")
    for one in subscriptions:
        for table, only in (
            ("workflows_effect", ""),
            ("workflows_held", ""),
            ("workflows_deadletter", " AND state = 'open'"),
        ):
            if sql.fetch(
                f"SELECT 1 FROM {table} WHERE subscription_id = %s{only} LIMIT 1", (one.pk,)
            ):
                raise InUse(
                    f"The flow {one.flow.slug} has unfinished work or open dead letters from it:"
                    " finish, redrive or discard them first."
                )
