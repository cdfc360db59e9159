"""How does a document become the version that runs, and what of what the old one has left?"""

import secrets
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max

from workflows.engine.plan import Plan
from workflows.engine.problems import Problem
from workflows.models import Channel, Cursor, Flow, FlowVersion, Hook, Subscription, Timer
from workflows.storage import channels, cursors, gaps, removals, runs, sql
from workflows.storage.flows import Document, check


class Refused(Exception):
    """The draft can't be published: it has problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.says for problem in problems))
        self.problems = problems


class Unread(Exception):
    """Publishing would leave unread events behind a producer that is going; say what to do."""

    field = "unread"  # the option that says it

    def __init__(self, nodes: dict[str, int]) -> None:
        super().__init__(f"{self.field}: {nodes}")
        self.nodes = nodes  # node -> how many events


class StillHeld(Unread):
    """Publishing would remove nodes that still hold arrivals; say what becomes of those."""

    field = "on_removed"


class Published(msgspec.Struct, frozen=True):
    number: int
    version_id: int


def publish(
    flow: Flow,
    document: Document,
    *,
    user_id: int | None = None,
    note: str = "",
    unread: str = "ask",
    on_removed: str = "ask",
    start: str = "latest",
) -> Published:
    """Make `document` the running version.

    `unread`: what to do with unread events of producers that the new version doesn't have:
    "finish" them on the version that is running, "expire" them, or "ask" (raises `Unread`).
    `on_removed`: what to do with what is held at nodes that the new version doesn't have:
    "finish" it on the version that took it, "dead_letter" it, "drop" it, or "ask" (`StillHeld`).
    `start`: where a producer that is new begins in a shared channel, "latest" or "earliest".
    Raises `Refused` when the document has errors.
    """
    with transaction.atomic():
        Flow.objects.select_for_update().get(pk=flow.pk)
        published = FlowVersion.objects.filter(flow=flow, number__lt=runs.FIRST_TRIAL)
        last = published.aggregate(last=Max("number"))["last"] or 0
        plan, problems = check(flow, document, last + 1)
        if plan is None:
            raise Refused([problem for problem in problems if problem.level == "error"])
        version = FlowVersion.objects.create(
            flow=flow, number=last + 1, document=document, note=note[:200], created_by_id=user_id
        )
        _create_named_channels(flow, plan)
        kept = {_subscribe(flow, version, plan, node, start) for node in plan.producers}
        _retire(flow, kept, unread)
        _let_go(flow, version, plan, on_removed)
        Flow.objects.filter(pk=flow.pk).update(published=version)
        flow.published = version
    channels.forget()
    return Published(version.number, version.pk)


def _let_go(flow: Flow, version: FlowVersion, plan: Plan, on_removed: str) -> None:
    """Decide about what is held at nodes that the new version doesn't have."""
    removals.forget(flow.pk, plan.nodes)
    left = removals.held_at_removed(flow.pk, plan.nodes)
    if left and on_removed == "ask":
        raise StillHeld(left)
    if on_removed != "finish":
        removals.hand_over(flow.pk, version.pk, left, on_removed)


def _create_named_channels(flow: Flow, plan: Plan) -> None:
    for planned in plan.nodes.values():
        slug = getattr(planned.node.config, "channel", None)
        if isinstance(slug, str) and slug:
            channels.create(flow.workspace_id, slug, name=slug)


def _subscribe(flow: Flow, version: FlowVersion, plan: Plan, node: str, start: str) -> int:
    """Let a producer node read its channel by the new version; the subscription's id."""
    producer: Any = plan.nodes[node].node
    channel_id = _channel(flow, plan, node, producer)
    subscription, made = Subscription.objects.get_or_create(
        flow=flow, node=node, channel_id=channel_id, defaults={"version": version}
    )
    was_closed = subscription.state == Subscription.State.CLOSED
    if made or was_closed:
        _place_cursors(subscription, at_head=start != "earliest" and not (producer.inbox and made))
    Subscription.objects.filter(pk=subscription.pk).update(
        version=version, state=Subscription.State.ACTIVE
    )
    # A drain that began under the old version must not commit after this.
    cursors.fence([subscription.pk])
    Cursor.objects.filter(subscription=subscription).update(stop=None)
    _set_timer(subscription, producer)
    if producer.type_id == "producer.http":
        Hook.objects.get_or_create(
            flow=flow, node=node, defaults={"key": secrets.token_urlsafe(32)}
        )
    return int(subscription.pk)


def _channel(flow: Flow, plan: Plan, node: str, producer: Any) -> int:
    """The channel that a producer node reads: a shared one, or an inbox of its own."""
    if not producer.inbox:
        return channels.create(flow.workspace_id, str(producer.channel()))
    slug, name = channels.inbox_slug(flow.slug, node), plan.nodes[node].name or node
    channel_id = channels.create(flow.workspace_id, slug, name=name, flow_id=flow.pk, node=node)
    Channel.objects.filter(pk=channel_id).update(key_expression=producer.key())
    return channel_id


def _place_cursors(subscription: Subscription, *, at_head: bool) -> None:
    heads = sql.fetch(
        'SELECT "partition", head, tail FROM workflows_head WHERE channel_id = %s',
        (subscription.channel_id,),
    )
    places = {partition: head if at_head else tail for partition, head, tail in heads}
    gaps.begin(subscription.pk, places)
    Cursor.objects.filter(subscription=subscription).delete()
    Cursor.objects.bulk_create(
        [
            Cursor(subscription=subscription, partition=partition, position=position)
            for partition, position in places.items()
        ]
    )


def _set_timer(subscription: Subscription, producer: Any) -> None:
    now = sql.database_now()
    due = producer.next_due(now)
    timer = Timer.objects.filter(subscription=subscription)
    if due is None:
        timer.delete()
    elif timer.filter(due_at__lte=now).exists():
        timer.update(error="")  # late already: that moment isn't lost to the new version
    else:
        Timer.objects.update_or_create(
            subscription=subscription, defaults={"due_at": due, "error": ""}
        )


def _retire(flow: Flow, kept: set[int], unread: str) -> None:
    """Close the subscriptions that the new version doesn't have."""
    going = list(
        Subscription.objects.filter(flow=flow, state=Subscription.State.ACTIVE).exclude(pk__in=kept)
    )
    lag = {one.node: n for one in going if (n := _lag(one))}
    if lag and unread == "ask":
        raise Unread(lag)
    for one in going:
        Timer.objects.filter(subscription=one).delete()
        finish = unread == "finish" and one.node in lag
        cursors.fence([one.pk])
        # Closing: what has come in so far is still read, by the version that reads now.
        sql.execute(
            "UPDATE workflows_cursor SET"
            " stop = (SELECT h.head FROM workflows_head h WHERE h.channel_id = %s"
            ' AND h."partition" = workflows_cursor."partition") WHERE subscription_id = %s',
            (one.channel_id, one.pk),
        )
        state = Subscription.State.CLOSING if finish else Subscription.State.CLOSED
        Subscription.objects.filter(pk=one.pk).update(state=state)


def _lag(subscription: Subscription) -> int:
    return int(
        sql.fetch(
            "SELECT COALESCE(SUM(h.head - c.position), 0) FROM workflows_cursor c"
            ' JOIN workflows_head h ON h.channel_id = %s AND h."partition" = c."partition"'
            " WHERE c.subscription_id = %s",
            (subscription.channel_id, subscription.pk),
        )[0][0]
    )
