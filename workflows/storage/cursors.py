"""Who reads which partitions of a subscription, from where, and until when?"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from workflows.storage import sql


class Reader(msgspec.Struct, frozen=True):
    """A subscription with all that a drain needs to know of it."""

    subscription_id: int
    node: str
    channel_id: int
    flow_id: int
    flow: str
    workspace_id: int
    version_id: int
    state: str
    paused: bool


class Leased(NamedTuple):
    """One partition that is ours until the lease ends."""

    partition: int
    position: int
    epoch: int
    stop: int | None


def reader(subscription_id: int) -> Reader | None:
    """The subscription, or None when it doesn't exist any more."""
    rows = sql.fetch(
        "SELECT s.id, s.node, s.channel_id, s.flow_id, f.slug, f.workspace_id, s.version_id,"
        " s.state, f.paused FROM workflows_subscription s"
        " JOIN workflows_flow f ON f.id = s.flow_id WHERE s.id = %s",
        (subscription_id,),
    )
    return Reader(*rows[0]) if rows else None


def lease(reader: Reader, owner: str, seconds: float) -> list[Leased]:
    """Take every partition with unread events that nobody else holds; each gets a new epoch."""
    now = sql.now_sql()
    rows = sql.fetch(
        f"UPDATE workflows_cursor AS c SET owner = %s, epoch = epoch + 1, lease_until = {now} + %s"
        f" WHERE c.subscription_id = %s AND (c.lease_until < {now} OR c.owner = %s)"
        " AND EXISTS (SELECT 1 FROM workflows_head h WHERE h.channel_id = %s"
        ' AND h."partition" = c."partition" AND h.head > c.position'
        " AND (c.stop IS NULL OR c.position < c.stop))"
        ' RETURNING "partition", position, epoch, stop',
        (owner, seconds, reader.subscription_id, owner, reader.channel_id),
    )
    return sorted(Leased(*row) for row in rows)


def release(subscription_id: int, owner: str) -> None:
    """Give back what `owner` still holds."""
    sql.execute(
        "UPDATE workflows_cursor SET lease_until = 0, owner = ''"
        " WHERE subscription_id = %s AND owner = %s",
        (subscription_id, owner),
    )


# What a subscription has still to read of a partition; one that closes reads up to its stop.
UNREAD = "(CASE WHEN c.stop < h.head THEN c.stop ELSE h.head END - c.position)"
LAGGING = (
    " FROM workflows_cursor c JOIN workflows_subscription s ON s.id = c.subscription_id"
    " JOIN workflows_flow f ON f.id = s.flow_id"
    ' JOIN workflows_head h ON h.channel_id = s.channel_id AND h."partition" = c."partition"'
    " WHERE h.head > c.position AND (c.stop IS NULL OR c.position < c.stop)"
    " AND s.state <> 'closed'"
)


def lagging() -> list[int]:
    """Subscriptions with unread events that nobody is reading, of flows that aren't paused."""
    return [
        row[0]
        for row in sql.fetch(
            f"SELECT DISTINCT c.subscription_id{LAGGING}"
            f" AND NOT f.paused AND c.lease_until < {sql.now_sql()}"
        )
    ]


def readers_of(channel_ids: list[int]) -> dict[int, list[int]]:
    """The live subscriptions of each channel."""
    if not channel_ids:
        return {}
    out: dict[int, list[int]] = {channel_id: [] for channel_id in channel_ids}
    marks = ", ".join(["%s"] * len(channel_ids))
    for channel_id, subscription_id in sql.fetch(
        "SELECT channel_id, id FROM workflows_subscription"
        f" WHERE state <> 'closed' AND channel_id IN ({marks})",
        channel_ids,
    ):
        out[channel_id].append(subscription_id)
    return out


def lag_of_flow(flow_id: int) -> int:
    """Events that the flow has still to take."""
    return lags([flow_id]).get(flow_id, 0)


def lags(flow_ids: Sequence[int]) -> dict[int, int]:
    """Flow id -> events that the flow has still to take; absent means none. One query."""
    if not flow_ids:
        return {}
    marks = ", ".join(["%s"] * len(flow_ids))
    return {
        flow_id: int(lag)
        for flow_id, lag in sql.fetch(
            f"SELECT s.flow_id, SUM({UNREAD}){LAGGING} AND s.flow_id IN ({marks})"
            " GROUP BY s.flow_id",
            flow_ids,
        )
    }


def lag_of_channels() -> dict[int, int]:
    """How many events the slowest subscription of each channel is behind; absent means none."""
    out: dict[int, int] = {}
    for channel_id, _, lag in sql.fetch(
        f"SELECT s.channel_id, s.id, SUM({UNREAD}){LAGGING} GROUP BY s.channel_id, s.id"
    ):
        out[channel_id] = max(out.get(channel_id, 0), int(lag))
    return out


@lru_cache(maxsize=10_000)
def workspace_of(flow_id: int) -> int:
    """The workspace of a flow. Never changes."""
    return int(sql.fetch("SELECT workspace_id FROM workflows_flow WHERE id = %s", (flow_id,))[0][0])


@lru_cache(maxsize=10_000)
def channel_of(subscription_id: int) -> int:
    """The channel that a subscription reads. Never changes."""
    return int(
        sql.fetch(
            "SELECT channel_id FROM workflows_subscription WHERE id = %s", (subscription_id,)
        )[0][0]
    )


def close_finished() -> int:
    """Close subscriptions that have finished what an older version was to finish."""
    return sql.execute(
        "UPDATE workflows_subscription SET state = 'closed' WHERE state = 'closing' AND NOT EXISTS"
        " (SELECT 1 FROM workflows_cursor c WHERE c.subscription_id = workflows_subscription.id"
        " AND c.position < c.stop)"
    )
