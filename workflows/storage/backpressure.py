"""For which full channel does a flow wait, before it takes more events that it would publish there?

A channel that blocks answers senders with 429; a flow is told by not getting further events. What
it has taken already it finishes. In a ring of channels nobody waits for the next one, since all of
them could be full at once, and then each would wait for the others for ever.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workflows.engine.graph import find_reachable
from workflows.engine.plan import Plan
from workflows.storage import channels, cursors, sql
from workflows.storage.channels import ChannelRow
from workflows.storage.cursors import LAGGING, UNREAD, Reader
from workflows.storage.plans import PlanMissing, load_plan

_PLENTY = 1_000_000_000


class Room(NamedTuple):
    """How many events the fullest channel still takes, and which one it is, if any blocks."""

    events: int = _PLENTY
    channel: str = ""

    @property
    def is_full(self) -> bool:
        return self.events <= 0


def targets(plan: Plan, producer: str) -> tuple[str, ...]:
    """The channels that events of a producer may be published to, by slug."""
    named = {
        node: slug
        for node, planned in plan.nodes.items()
        if planned.node.has_input and (slug := getattr(planned.node.config, "channel", ""))
    }
    mine = find_reachable([producer], plan.wires) if named else ()
    return tuple(sorted({str(slug) for node, slug in named.items() if node in mine}))


def room(reader: Reader, slugs: Iterable[str]) -> Room:
    """What is left in those channels that block. Asks the database only if one does."""
    found = (channels.find(reader.workspace_id, slug) for slug in slugs)
    left = [(_left(one), one) for one in found if one is not None and one.blocks]
    rooms = [Room(n, one.slug) for n, one in left if n > 0 or not _feeds(reader, one)]
    return min(rooms, default=Room())


def waits_for(subscription_id: int) -> str:
    """The slug of the full channel that keeps a subscription from its unread events, or nothing."""
    reader = cursors.reader(subscription_id)
    if reader is None or reader.paused:
        return ""
    try:
        plan = load_plan(reader.version_id)
    except PlanMissing:
        return ""
    found = room(reader, targets(plan, reader.node))
    return found.channel if found.is_full else ""


def _left(channel: ChannelRow) -> int:
    lags = sql.fetch(
        f"SELECT SUM({UNREAD}){LAGGING} AND s.channel_id = %s GROUP BY s.id", (channel.id,)
    )
    return channel.lag_limit - max((int(lag) for (lag,) in lags), default=0)


def _feeds(reader: Reader, channel: ChannelRow) -> bool:
    """Whether what is published to `channel` may lead, flow by flow, to what the reader reads."""
    readings: dict[int, list[tuple[str, int]]] = {}
    for channel_id, node, version_id in sql.fetch(
        "SELECT s.channel_id, s.node, s.version_id FROM workflows_subscription s"
        " JOIN workflows_flow f ON f.id = s.flow_id"
        " WHERE f.workspace_id = %s AND s.state <> 'closed'",
        (reader.workspace_id,),
    ):
        readings.setdefault(channel_id, []).append((node, version_id))
    seen: set[int] = set()
    following = [channel.id]
    while following:
        one = following.pop()
        if one == reader.channel_id:
            return True
        if one not in seen:
            seen.add(one)
            following += _onward(reader.workspace_id, readings.get(one, []))
    return False


def _onward(workspace_id: int, readings: list[tuple[str, int]]) -> list[int]:
    """The channels that those who read this one publish to."""
    out = []
    for node, version_id in readings:
        try:
            slugs = targets(load_plan(version_id), node)
        except PlanMissing:
            continue  # it takes nothing, and so publishes nothing
        found = (channels.find(workspace_id, slug) for slug in slugs)
        out += [one.id for one in found if one is not None]
    return out
