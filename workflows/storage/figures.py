"""How are the flows and channels of one page of a list doing? A fixed number of queries each."""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import cursors, deadgroups, sql, timers


class FlowFigures(NamedTuple):
    lag: int  # events that the flow has still to take
    dead: int  # open dead letters
    failing: int  # timers that failed at their last moment


class Reader(NamedTuple):
    """A flow's producer that reads a channel."""

    flow: str  # slug
    name: str  # of the flow
    paused: bool
    node: str
    state: str
    lag: int
    oldest: float | None  # when the first of its unread events was accepted, Unix seconds
    expired: int  # events that it was moved past, being too far behind


class ChannelFigures(NamedTuple):
    events: int
    readers: tuple[Reader, ...]

    @property
    def lag(self) -> int:
        """Events that the slowest reader is behind."""
        return max((reader.lag for reader in self.readers), default=0)

    @property
    def oldest(self) -> float | None:
        """When the first event that a reader has still to take was accepted."""
        return min((one.oldest for one in self.readers if one.oldest is not None), default=None)

    @property
    def expired(self) -> int:
        """Events that readers were moved past."""
        return sum(reader.expired for reader in self.readers)


def of_flows(flow_ids: Sequence[int]) -> dict[int, FlowFigures]:
    """Flow id -> its figures, for each that is asked for."""
    if not flow_ids:
        return {}
    dead = deadgroups.open_letters(flow_ids)
    lags, failing = cursors.lags(flow_ids), timers.failing(flow_ids)
    return {i: FlowFigures(lags.get(i, 0), dead.get(i, 0), failing.get(i, 0)) for i in flow_ids}


def of_channels(channel_ids: Sequence[int]) -> dict[int, ChannelFigures]:
    """Channel id -> its figures, for each that is asked for."""
    if not channel_ids:
        return {}
    marks = ", ".join(["%s"] * len(channel_ids))
    events = sql.numbers(
        "SELECT channel_id, SUM(head - tail) FROM workflows_head"
        " WHERE channel_id IN ({ids}) GROUP BY channel_id",
        channel_ids,
    )
    readers: dict[int, list[Reader]] = {channel_id: [] for channel_id in channel_ids}
    for channel_id, flow, name, paused, node, state, lag, oldest, expired in sql.fetch(
        "SELECT s.channel_id, f.slug, f.name, f.paused, s.node, s.state,"
        f" SUM({cursors.UNREAD}), MIN(e.accepted_at), s.expired FROM workflows_subscription s"
        " JOIN workflows_flow f ON f.id = s.flow_id"
        " LEFT JOIN workflows_cursor c ON c.subscription_id = s.id"
        ' LEFT JOIN workflows_head h ON h.channel_id = s.channel_id AND h."partition" ='
        ' c."partition" AND h.head > c.position AND (c.stop IS NULL OR c.position < c.stop)'
        ' LEFT JOIN workflows_event e ON e.channel_id = h.channel_id AND e."partition" ='
        ' h."partition" AND e."offset" = c.position'
        f" WHERE s.state <> 'closed' AND s.channel_id IN ({marks})"
        " GROUP BY s.id, s.channel_id, f.slug, f.name, f.paused, s.node, s.state, s.expired"
        " ORDER BY f.name, f.slug, s.node",
        channel_ids,
    ):
        reader = Reader(flow, name, bool(paused), node, state, int(lag or 0), oldest, int(expired))
        readers[channel_id].append(reader)
    return {i: ChannelFigures(events.get(i, 0), tuple(readers[i])) for i in channel_ids}
