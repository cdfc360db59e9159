"""How are flows kept, published, paused and deleted?"""

import secrets
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max

from workflows.engine.compile import compile_flow
from workflows.engine.flowfile import normalise
from workflows.engine.plan import Plan
from workflows.engine.problems import Problem
from workflows.models import (
    Channel,
    Connection,
    Cursor,
    Draft,
    Flow,
    FlowClock,
    FlowVersion,
    Hook,
    Subscription,
    Timer,
)
from workflows.nodes.registry import node_types
from workflows.storage import channels, gaps, indexed, removals, runs, sql

Document = dict[str, Any]


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


class Changed(Exception):
    """Somebody else has saved the draft since."""


class Published(msgspec.Struct, frozen=True):
    number: int
    version_id: int


def empty_document(slug: str, name: str) -> Document:
    """A new flow's draft."""
    return normalise(
        {"format": "eventflow/1", "slug": slug, "name": name, "nodes": [], "wires": []}
    )


@transaction.atomic
def create(workspace_id: int, slug: str, name: str, document: Document | None = None) -> Flow:
    """A new flow with a draft. Raises IntegrityError when the slug is taken."""
    document = dict(document or empty_document(slug, name), slug=slug, name=name)
    flow = Flow.objects.create(
        workspace_id=workspace_id,
        slug=slug,
        name=name,
        description=str(document.get("description", ""))[:10_000],
    )
    Draft.objects.create(flow=flow, document=normalise(document))
    FlowClock.objects.create(flow=flow)
    return flow


def import_document(workspace_id: int, document: Document, user_id: int | None = None) -> Flow:
    """Make the flow that a file describes, or replace the draft of the one it names."""
    slug = str(document["slug"])
    flow = Flow.objects.filter(workspace_id=workspace_id, slug=slug).first()
    if flow is None:
        return create(workspace_id, slug, str(document.get("name") or slug)[:120], document)
    revision = Draft.objects.values_list("revision", flat=True).get(flow=flow)
    save_draft(flow, document, revision, user_id)
    return flow


def draft_document(workspace_id: int, slug: str) -> Document | None:
    """A flow's draft, or None when there is no such flow."""
    draft = Draft.objects.filter(flow__workspace_id=workspace_id, flow__slug=slug).first()
    return None if draft is None else normalise(draft.document)


def save_draft(flow: Flow, document: Document, revision: int, user_id: int | None) -> int:
    """Replace the draft if it still has `revision`; the new revision. Raises `Changed`."""
    document = normalise(dict(document, slug=flow.slug))
    with transaction.atomic():
        saved = Draft.objects.filter(flow=flow, revision=revision).update(
            document=document, revision=revision + 1, updated_by_id=user_id
        )
        if not saved:
            raise Changed
        name = str(document.get("name") or flow.name)[:120]
        description = str(document.get("description", ""))[:10_000]
        if (name, description) != (flow.name, flow.description):
            flow.name, flow.description = name, description
            flow.save(update_fields=["name", "description"])
    return revision + 1


def check(flow: Flow, document: Document, number: int = 0) -> tuple[Plan | None, list[Problem]]:
    """Compile a document as it would run in this flow's workspace."""
    return compile_flow(
        document,
        node_types(),
        workspace=flow.workspace.slug,
        flow=flow.slug,
        version=number,
        connections=set(
            Connection.objects.filter(workspace_id=flow.workspace_id).values_list("name", flat=True)
        ),
        keyed=channels.keyed_slugs(flow.workspace_id),
    )


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
    if producer.inbox:
        slug = channels.inbox_slug(flow.slug, node)
        channel_id = channels.create(
            flow.workspace_id, slug, name=plan.nodes[node].name or node, flow_id=flow.pk, node=node
        )
        Channel.objects.filter(pk=channel_id).update(key_expression=producer.key())
    else:
        channel_id = channels.create(flow.workspace_id, str(producer.channel()))
    subscription, made = Subscription.objects.get_or_create(
        flow=flow, node=node, channel_id=channel_id, defaults={"version": version}
    )
    was_closed = subscription.state == Subscription.State.CLOSED
    if made or was_closed:
        _place_cursors(subscription, at_head=start != "earliest" and not (producer.inbox and made))
    Subscription.objects.filter(pk=subscription.pk).update(
        version=version, state=Subscription.State.ACTIVE
    )
    # A drain that began under the old version must not commit after this: fence it.
    sql.execute(
        "UPDATE workflows_cursor SET epoch = epoch + 1, lease_until = 0, stop = NULL"
        " WHERE subscription_id = %s",
        (subscription.pk,),
    )
    _set_timer(subscription, producer)
    if producer.type_id == "producer.http":
        Hook.objects.get_or_create(
            flow=flow, node=node, defaults={"key": secrets.token_urlsafe(32)}
        )
    return int(subscription.pk)


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
        # Closing: what has come in so far is still read, by the version that reads now.
        sql.execute(
            "UPDATE workflows_cursor SET epoch = epoch + 1, lease_until = 0,"
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


def set_paused(flow: Flow, paused: bool) -> None:
    """Pause holds everything where it is; resume goes on. A drain under way is fenced."""
    with transaction.atomic():
        Flow.objects.filter(pk=flow.pk).update(paused=paused)
        sql.execute(
            "UPDATE workflows_cursor SET epoch = epoch + 1, lease_until = 0 WHERE subscription_id"
            " IN (SELECT id FROM workflows_subscription WHERE flow_id = %s)",
            (flow.pk,),
        )
    flow.paused = paused


_OF_FLOW = (
    "workflows_trace",
    "workflows_segment",
    "workflows_counter",
    "workflows_minute",
    "workflows_nodestate",
    "workflows_memory",
    "workflows_effect",
    "workflows_held",
)
_OF_CHANNEL = ("workflows_event", "workflows_seen", "workflows_answer")


def delete(flow: Flow) -> None:
    """Remove a flow with its inboxes and all that it left behind. Shared channels stay."""
    with transaction.atomic():
        for table in _OF_FLOW:
            sql.execute(f"DELETE FROM {table} WHERE flow_id = %s", (flow.pk,))
        for table in _OF_CHANNEL:
            sql.execute(
                f"DELETE FROM {table} WHERE channel_id IN"
                " (SELECT id FROM workflows_channel WHERE flow_id = %s)",
                (flow.pk,),
            )
        indexed.drop("SELECT id FROM workflows_channel WHERE flow_id = %s", (flow.pk,))
        Flow.objects.filter(pk=flow.pk).update(published=None)
        flow.delete()
    channels.forget()


def changes_since_published(flow: Flow, draft: Document) -> int:
    """How many lines of difference there are between the draft and what runs."""
    from workflows.engine.flowfile import diff

    if flow.published is None:
        return 0
    return len(diff(flow.published.document, draft))
