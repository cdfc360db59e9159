"""How much has a flow still before it, and since when? By producer, and by node that holds."""

from typing import NamedTuple

from workflows.models import Channel, Subscription
from workflows.storage import backpressure, figures, sql


class ReaderBacklog(NamedTuple):
    """Unread events of a producer, and what its channel allows."""

    node: str
    channel: str
    lag: int
    oldest: float | None  # when the first unread event was accepted, Unix seconds
    expired: int
    lag_limit: int
    lag_policy: str
    waits_for: str  # the full channel without which it takes no more; "" when there is none


class NodeBacklog(NamedTuple):
    """What is parked at a node."""

    node: str
    calls: int  # that wait for their turn, their reply or another try
    held: int
    oldest: float | None  # since when the first one waits, Unix seconds


def readers(flow_id: int, slug: str) -> list[ReaderBacklog]:
    """Of each producer that reads now, by its id."""
    channels = list(
        Channel.objects.filter(subscription__flow_id=flow_id)
        .exclude(subscription__state="closed")
        .distinct()
    )
    how = figures.of_channels([channel.pk for channel in channels])
    mine = Subscription.objects.filter(flow_id=flow_id).exclude(state="closed")
    numbers = {(one.channel_id, one.node): one.pk for one in mine}
    found = [
        ReaderBacklog(
            reader.node,
            channel.slug,
            reader.lag,
            reader.oldest,
            reader.expired,
            channel.lag_limit,
            channel.lag_policy,
            backpressure.waits_for(numbers[channel.pk, reader.node]) if reader.lag else "",
        )
        for channel in channels
        for reader in how[channel.pk].readers
        if reader.flow == slug
    ]
    return sorted(found)


def nodes(flow_id: int) -> list[NodeBacklog]:
    """Of each node that something is parked at, by its id."""
    rows = sql.fetch(
        "SELECT node, SUM(calls), SUM(held), MIN(since) FROM"
        " (SELECT node, 1 AS calls, 0 AS held, since FROM workflows_effect WHERE flow_id = %s"
        " UNION ALL SELECT node, 0, 1, since FROM workflows_held WHERE flow_id = %s) AS parked"
        " GROUP BY node ORDER BY node",
        (flow_id, flow_id),
    )
    return [NodeBacklog(node, int(calls), int(held), since) for node, calls, held, since in rows]
