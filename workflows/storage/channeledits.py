"""How do people make, change and remove shared channels?"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from workflows.models import Channel, Head, Subscription
from workflows.storage import channels, cursors, indexed, sql


class InUse(Exception):
    """The channel can't be removed; the text says why, and what to do."""


def make(
    workspace_id: int, slug: str, *, indexed_fields: Sequence[str] = (), **settings: Any
) -> Channel:
    """A new channel with its heads. Raises IntegrityError when the slug is taken."""
    with transaction.atomic():
        channel = Channel.objects.create(workspace_id=workspace_id, slug=slug, **settings)
        indexed.choose(channel, indexed_fields)
        Head.objects.bulk_create(
            [Head(channel=channel, partition=i) for i in range(channel.partitions)]
        )
    channels.forget()
    return channel


def change(
    channel: Channel, *, indexed_fields: Sequence[str] | None = None, **settings: Any
) -> None:
    """Set anything but the partitions, which never change. Raises `InUse` for a key expression
    that isn't to be changed here or now."""
    if settings.get("key_expression", channel.key_expression) != channel.key_expression:
        _check_key(channel, str(settings["key_expression"]))
    for name, value in settings.items():
        setattr(channel, name, value)
    with transaction.atomic():
        if settings:
            channel.save(update_fields=list(settings))
        if indexed_fields is not None:
            indexed.choose(channel, indexed_fields)
    channels.forget()


def _check_key(channel: Channel, key_expression: str) -> None:
    """Another key sends events to other partitions than those of the same key before them."""
    if channel.flow_id is not None:
        raise InUse("The key of an inbox is set at its producer.")
    for slug, is_behind in _ordered_readers(channel):
        if not key_expression:
            raise InUse(f"{slug} keeps the order of this channel's keys: it needs one.")
        if is_behind:
            raise InUse(f"{slug} has still to read events in their order: wait until it has.")


def _ordered_readers(channel: Channel) -> list[tuple[str, bool]]:
    """The flows that read the channel in order, and whether they have unread events."""
    reading = Subscription.objects.filter(channel=channel).exclude(state="closed")
    lags = cursors.lags([one.flow_id for one in reading])
    return [
        (one.flow.slug, one.flow_id in lags)
        for one in reading.select_related("flow", "version").order_by("pk")
        if (one.version.document.get("settings") or {}).get("ordering") == "key"
    ]


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
        indexed.drop("SELECT id FROM workflows_channel WHERE id = %s", (channel.pk,))
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
