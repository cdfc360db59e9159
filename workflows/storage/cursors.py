"""Who reads which partitions of a subscription, from where, and until when?"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from workflows.storage import sql
from workflows.storage.parts import CursorMove, Fenced


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
    expires: bool  # what the channel holds too long is passed over, also while it is being read


class Unread(NamedTuple):
    """The events of one partition that wait for their reader: from `position` up to `end`."""

    partition: int
    position: int
    end: int
    epoch: int  # of the cursor; what was decided about these events counts only under it
    is_leased: bool  # by the one who asks
    attempts: int = 0  # leases that ran out since the position last moved
    acts_for: float = 0.0  # seconds for which the one who asks may act before he commits


class Backlog(NamedTuple):
    """What one subscription has to read, and by which version, as of one moment."""

    reader: Reader
    parts: list[Unread]


def reader(subscription_id: int) -> Reader | None:
    """The subscription, or None when it doesn't exist any more."""
    rows = sql.fetch(
        f"SELECT {_READER} FROM workflows_subscription s"
        " JOIN workflows_flow f ON f.id = s.flow_id WHERE s.id = %s",
        (subscription_id,),
    )
    return Reader(*rows[0]) if rows else None


def unread(subscription_id: int, owner: str) -> Backlog | None:
    """All partitions with unread events that nobody but `owner` holds, or None: nothing to read.

    One query, so that the version, the positions and the epochs belong together: whatever changes
    one of them later fences a commit that was made of these.
    """
    now = sql.now_sql()
    rows = sql.fetch(
        f'SELECT {_READER}, c."partition", c.position, {_END}, c.epoch,'
        f" c.lease_until >= {now}, {_attempts('c.')},"
        f" CASE WHEN c.is_acting THEN c.lease_until - {now} ELSE 0 END{LAGGING}"
        f" AND s.id = %s AND NOT f.paused AND (c.lease_until < {now} OR c.owner = %s)"
        ' ORDER BY c."partition"',
        (subscription_id, owner),
    )
    if not rows:
        return None
    width = len(Reader.__struct_fields__)
    return Backlog(Reader(*rows[0][:width]), [Unread(*row[width:]) for row in rows])


def lease(
    subscription_id: int,
    partitions: Sequence[int],
    owner: str,
    seconds: float,
    *,
    acting: bool = False,
) -> int:
    """Keep others from these partitions for a time; how many weren't somebody else's already.

    Each gets a new epoch. A commit doesn't need a lease: it keeps others from working in vain. Who
    acts before the commit does need one, and says so: then `fence` leaves it alone.
    One that has run out is counted, so that events at which workers die can be told from others;
    one that was given back, or fenced, is not.
    """
    now = sql.now_sql()
    marks = ", ".join(["%s"] * len(partitions))
    return _update(
        f"owner = %s, epoch = epoch + 1, lease_until = {now} + %s,"
        f" attempts = {_attempts()}, is_acting = %s",
        (owner, seconds, acting),
        f'subscription_id = %s AND "partition" IN ({marks})'
        f" AND (lease_until < {now} OR owner = %s)",
        (subscription_id, *partitions, owner),
    )


def fence(subscription_ids: Sequence[int]) -> None:
    """Let nobody commit what was read of these before now, but for those who act before they
    commit: what they have read counts as taken. Part of the caller's transaction."""
    if not subscription_ids:
        return
    marks = ", ".join(["%s"] * len(subscription_ids))
    if sql.is_postgres():  # all of them: the caller may change those that act, too
        sql.fetch(
            f"SELECT 1 FROM workflows_cursor WHERE subscription_id IN ({marks}){_LOCKING}",
            list(subscription_ids),
        )
    sql.execute(
        "UPDATE workflows_cursor SET epoch = epoch + 1, lease_until = 0"
        f" WHERE subscription_id IN ({marks})"
        f" AND NOT (is_acting AND lease_until >= {sql.now_sql()})",
        list(subscription_ids),
    )


def release(subscription_id: int, owner: str) -> None:
    """Give back what `owner` still holds."""
    _update(
        "lease_until = 0, owner = ''",
        (),
        "subscription_id = %s AND owner = %s",
        (subscription_id, owner),
    )


def move(subscription_id: int, moves: Sequence[CursorMove]) -> None:
    """Go on behind what was read. Raises `Fenced` if somebody else has done so meanwhile. Part of
    the caller's transaction."""
    changes = (
        "position = v.there, attempts = 0,"
        " lease_until = CASE WHEN v.seconds > 0 AND owner <> ''"
        f" THEN {sql.now_sql()} + v.seconds ELSE 0 END"
    )
    match = 'k.subscription_id = v.s AND k."partition" = v.p AND epoch = v.e AND position = v.here'
    table = "UPDATE workflows_cursor AS k SET"
    told = 'RETURNING "partition"'
    query = f"{table} {changes} FROM v WHERE {match} {told}"
    if sql.is_postgres():
        query = (
            ', locked AS (SELECT c.subscription_id AS s, c."partition" AS p FROM workflows_cursor c'
            ' JOIN v ON c.subscription_id = v.s AND c."partition" = v.p'
            ' ORDER BY c.subscription_id, c."partition" FOR UPDATE OF c)'
            f" {table} {changes} FROM v, locked WHERE {match}"
            f" AND locked.s = v.s AND locked.p = v.p {told}"
        )
    rows = [
        (subscription_id, one.partition, one.epoch, one.begin, one.position, one.lease_seconds)
        for one in moves
    ]
    moved = sql.find_many(query, "s, p, e, here, there, seconds", rows)
    if len(moved) < len(moves):
        lost = {one.partition for one in moves} - {partition for (partition,) in moved}
        raise Fenced(f"partitions {sorted(lost)} were read by somebody else meanwhile")


# PostgreSQL's UPDATE takes its locks in any order, and any order deadlocks. So everybody locks
# cursors in theirs first.
_LOCKING = ' ORDER BY subscription_id, "partition" FOR UPDATE'


def _update(changes: str, values: Sequence[object], where: str, params: Sequence[object]) -> int:
    """Change the cursors that are so; how many they were."""
    if sql.is_postgres():
        among = f'SELECT subscription_id, "partition" FROM workflows_cursor WHERE {where}{_LOCKING}'
        where = f'{where} AND (subscription_id, "partition") IN ({among})'
        params = (*params, *params)
    return sql.execute(f"UPDATE workflows_cursor SET {changes} WHERE {where}", (*values, *params))


def _attempts(of: str = "") -> str:
    """Leases that ran out, the last one included. Who lives, or is fenced, leaves nought there."""
    ran_out = f"{of}lease_until > 0 AND {of}lease_until < {sql.now_sql()}"
    return f"{of}attempts + CASE WHEN {ran_out} THEN 1 ELSE 0 END"


_READER = (
    "s.id, s.node, s.channel_id, s.flow_id, f.slug, f.workspace_id, s.version_id, s.state,"
    " f.paused, (SELECT l.lag_policy = 'expire' FROM workflows_channel l WHERE l.id = s.channel_id)"
)
# What a subscription has still to read of a partition; one that closes reads up to its stop.
_END = "CASE WHEN c.stop < h.head THEN c.stop ELSE h.head END"
UNREAD = f"({_END} - c.position)"
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
    return sql.numbers(
        f"SELECT s.flow_id, SUM({UNREAD}){LAGGING} AND s.flow_id IN ({{ids}}) GROUP BY s.flow_id",
        flow_ids,
    )


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
