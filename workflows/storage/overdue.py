"""What happens to readers that are too far behind? By the policy "expire" they are moved on.

Their oldest unread events stay in the log for others; for them they are expired: counted, and told
by an alarm. So one paused flow neither stops the senders nor keeps the log from being pruned.
"""

from typing import NamedTuple

from workflows.storage import alarms, gaps, sql
from workflows.storage.cursors import LAGGING, UNREAD


class Expired(NamedTuple):
    """So many events that a flow's producer was moved past."""

    flow_id: int
    node: str
    channel: str
    n: int


class _Behind(NamedTuple):
    subscription_id: int
    flow_id: int
    node: str
    channel_id: int
    channel: str
    limit: int


def expire() -> list[Expired]:
    """Move on every reader that is past its channel's limit, one transaction each."""
    behind = [
        _Behind(*row)
        for row in sql.fetch(
            "SELECT s.id, s.flow_id, s.node, s.channel_id, l.slug, l.lag_limit"
            f"{LAGGING.replace(' WHERE', ' JOIN workflows_channel l ON l.id = s.channel_id WHERE')}"
            " AND l.lag_policy = 'expire' AND s.state = 'active'"
            " GROUP BY s.id, s.flow_id, s.node, s.channel_id, l.slug, l.lag_limit"
            f" HAVING SUM({UNREAD}) > l.lag_limit"
        )
    ]
    found = [_move_on(one) for one in behind]
    alarms.resolve_expired()
    return [one for one in found if one.n]


def _move_on(behind: _Behind) -> Expired:
    with sql.write():
        positions, heads = _lock(behind)
        places = level(positions, heads, behind.limit)
        n = sum(place - positions[partition] for partition, place in places.items())
        if n:
            gaps.begin(behind.subscription_id, places)
            for partition, place in places.items():  # a drain that has read them is fenced
                sql.execute(
                    "UPDATE workflows_cursor SET position = %s, epoch = epoch + 1, owner = '',"
                    ' lease_until = 0 WHERE subscription_id = %s AND "partition" = %s',
                    (place, behind.subscription_id, partition),
                )
            sql.execute(
                "UPDATE workflows_subscription SET expired = expired + %s WHERE id = %s",
                (n, behind.subscription_id),
            )
            says = (
                f"It was more than {behind.limit:,} events behind in {behind.channel}, and was"
                " moved past the oldest. Let it run, or raise the limit of the channel."
            )
            alarms.raise_expired(behind.flow_id, behind.node, says, n)
    return Expired(behind.flow_id, behind.node, behind.channel, n)


def _lock(behind: _Behind) -> tuple[dict[int, int], dict[int, int]]:
    """Where the cursors are, which stay there until the commit, and the heads."""
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    positions = dict(
        sql.fetch(
            'SELECT "partition", position FROM workflows_cursor WHERE subscription_id = %s'
            f' ORDER BY "partition"{lock}',
            (behind.subscription_id,),
        )
    )
    heads = dict(
        sql.fetch(
            'SELECT "partition", head FROM workflows_head WHERE channel_id = %s',
            (behind.channel_id,),
        )
    )
    return positions, heads


def level(positions: dict[int, int], heads: dict[int, int], limit: int) -> dict[int, int]:
    """Where to set the cursors so that `limit` events stay unread: partition -> new position, of
    those that move. The longest backlogs are cut, all to the same length."""
    lags = {partition: heads[partition] - place for partition, place in positions.items()}
    left, most = limit, 0
    for index, lag in enumerate(sorted(lags.values())):
        share = left // (len(lags) - index)
        most = max(most, min(lag, share))
        if lag > share:
            most = share
            break
        left -= lag
    return {
        partition: heads[partition] - most for partition, lag in sorted(lags.items()) if lag > most
    }
