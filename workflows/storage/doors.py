"""What do the doors need to know? Where a trigger or a webhook leads, and what came of an event."""

from typing import Any, NamedTuple

import orjson

from workflows.models import Hook, Rejected
from workflows.storage import sql
from workflows.storage.seal import unseal

_BODY_KEPT = 4096
_REJECTED_KEPT = 200  # a flow


class Inbox(NamedTuple):
    """A running producer node with a private inbox."""

    subscription_id: int
    node: str
    version_id: int
    channel: str  # slug


class FlowDoor(NamedTuple):
    flow_id: int
    published: bool
    inboxes: tuple[Inbox, ...]


class HookDoor(NamedTuple):
    """Where `/hooks/{key}` leads."""

    workspace_id: int
    workspace: str
    flow_id: int
    flow: str
    inbox: Inbox | None  # None: not published, or the node is gone


def flow_door(workspace_id: int, slug: str) -> FlowDoor | None:
    """The running inboxes of a flow, or None when there is no such flow."""
    rows = sql.fetch(
        "SELECT id, published_id FROM workflows_flow WHERE workspace_id = %s AND slug = %s",
        (workspace_id, slug),
    )
    if not rows:
        return None
    flow_id, published = rows[0]
    return FlowDoor(flow_id, published is not None, _inboxes(flow_id))


def _inboxes(flow_id: int) -> tuple[Inbox, ...]:
    return tuple(
        Inbox(*row)
        for row in sql.fetch(
            "SELECT s.id, s.node, s.version_id, c.slug FROM workflows_subscription s"
            " JOIN workflows_channel c ON c.id = s.channel_id"
            " WHERE s.flow_id = %s AND s.state = 'active' AND c.flow_id = %s ORDER BY s.id",
            (flow_id, flow_id),
        )
    )


def hook_door(key: str) -> HookDoor | None:
    """The producer behind a webhook address, or None when there is none."""
    rows = sql.fetch(
        "SELECT f.workspace_id, w.slug, f.id, f.slug, h.node FROM workflows_hook h"
        " JOIN workflows_flow f ON f.id = h.flow_id"
        " JOIN workflows_workspace w ON w.id = f.workspace_id WHERE h.key = %s",
        (key,),
    )
    if not rows:
        return None
    workspace_id, workspace, flow_id, flow, node = rows[0]
    inbox = next((one for one in _inboxes(flow_id) if one.node == node), None)
    return HookDoor(workspace_id, workspace, flow_id, flow, inbox)


def hook_keys(flow_id: int) -> dict[str, str]:
    """Node -> the key of its webhook address, for all nodes of a flow that ever had one."""
    return dict(Hook.objects.filter(flow_id=flow_id).values_list("node", "key"))


def secret_of(workspace_id: int, connection: str) -> str | None:
    """A connection's secret, in clear. None when there is no such connection."""
    rows = sql.fetch(
        "SELECT sealed FROM workflows_connection WHERE workspace_id = %s AND name = %s",
        (workspace_id, connection),
    )
    return unseal(bytes(rows[0][0])) if rows else None


def reject(
    flow_id: int, node: str, reason: str, headers: dict[str, str], body: bytes, now: float
) -> None:
    """Keep a refused request for a look later; only the newest few are kept."""
    Rejected.objects.create(
        flow_id=flow_id,
        node=node,
        reason=reason[:300],
        headers=headers,
        body=body[:_BODY_KEPT],
        rejected_at=now,
    )
    old = (
        Rejected.objects.filter(flow_id=flow_id)
        .order_by("-id")
        .values_list("id", flat=True)[_REJECTED_KEPT : _REJECTED_KEPT + 1]
    )
    for row_id in old:
        Rejected.objects.filter(flow_id=flow_id, id__lte=row_id).delete()


def rejected(flow_id: int, limit: int) -> list[Rejected]:
    """The newest requests that a flow's webhooks refused, newest first."""
    return list(Rejected.objects.filter(flow_id=flow_id).order_by("-id")[:limit])


def answer_of(channel_id: int, partition: int, offset: int) -> dict[str, Any] | None:
    """What a flow replied to the event at this position."""
    rows = sql.fetch(
        "SELECT body FROM workflows_answer"
        ' WHERE channel_id = %s AND "partition" = %s AND "offset" = %s',
        (channel_id, partition, offset),
    )
    return dict(orjson.loads(bytes(rows[0][0]))) if rows else None


def state_of(subscription_id: int, partition: int, offset: int) -> str | None:
    """The state of the live trace of the event at this position; None while it is queued."""
    rows = sql.fetch(
        "SELECT state FROM workflows_trace"
        ' WHERE subscription_id = %s AND "partition" = %s AND "offset" = %s AND run = 0',
        (subscription_id, partition, offset),
    )
    return str(rows[0][0]) if rows else None
