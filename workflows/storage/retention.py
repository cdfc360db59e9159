"""What may be forgotten? Events past their channel's retention that nobody needs any more.

"Needs" is: an unread event of any subscription that isn't closed, paused ones included, or an
event that an effect, a held arrival or an open dead letter refers to. Deletes are small, so that
appends never wait long.
"""

from workflows.storage import indexed, replaywork, sql

_BATCH = 2_000
_ANSWER_SECONDS = 3_600.0
_ALARM_SECONDS = 30 * 86_400.0


def prune() -> int:
    """One round over all channels; how many events went."""
    gone = 0
    now = sql.now_sql()
    for channel_id, partition, tail, head, days in sql.fetch(
        'SELECT h.channel_id, h."partition", h.tail, h.head, c.retention_days'
        " FROM workflows_head h JOIN workflows_channel c ON c.id = h.channel_id"
        " LEFT JOIN workflows_event e ON e.channel_id = h.channel_id"
        ' AND e."partition" = h."partition" AND e."offset" = h.tail'
        " WHERE h.head > h.tail"
        f" AND (e.accepted_at IS NULL OR e.accepted_at < {now} - c.retention_days * 86400.0)"
    ):
        gone += _prune_partition(channel_id, partition, tail, head, days * 86_400.0)
    for table, column, age in (
        ("workflows_seen", "expires_at", 0.0),
        ("workflows_nodestate", "expires_at", 0.0),
        ("workflows_answer", "answered_at", _ANSWER_SECONDS),
        ("workflows_alarm", "resolved_at", _ALARM_SECONDS),
    ):
        sql.execute(f"DELETE FROM {table} WHERE {column} < {now} - %s", (age,))
    return gone


def _needed_from(channel_id: int, partition: int, head: int) -> int:
    """The lowest offset that somebody still needs."""
    lowest = sql.fetch(
        "SELECT MIN(c.position) FROM workflows_cursor c"
        " JOIN workflows_subscription s ON s.id = c.subscription_id"
        " WHERE s.channel_id = %s AND c.\"partition\" = %s AND s.state <> 'closed'",
        (channel_id, partition),
    )[0][0]
    needed = head if lowest is None else int(lowest)
    for table in ("workflows_effect", "workflows_held", "workflows_deadletter"):
        is_open = " AND t.state = 'open'" if table == "workflows_deadletter" else ""
        lowest = sql.fetch(
            f'SELECT MIN(t."offset") FROM {table} t'
            " JOIN workflows_subscription s ON s.id = t.subscription_id"
            f' WHERE s.channel_id = %s AND t."partition" = %s{is_open}',
            (channel_id, partition),
        )[0][0]
        if lowest is not None:
            needed = min(needed, int(lowest))
    replayed = replaywork.needed_from(channel_id, partition)
    return needed if replayed is None else min(needed, replayed)


def _prune_partition(channel_id: int, partition: int, tail: int, head: int, age: float) -> int:
    old = sql.fetch(
        'SELECT MAX("offset") FROM (SELECT "offset", accepted_at FROM workflows_event'
        ' WHERE channel_id = %s AND "partition" = %s AND "offset" >= %s'
        f' ORDER BY "offset" LIMIT {_BATCH}) AS oldest WHERE accepted_at < {sql.now_sql()} - %s',
        (channel_id, partition, tail, age),
    )[0][0]
    if old is None:
        return 0
    until = min(int(old) + 1, _needed_from(channel_id, partition, head))
    if until <= tail:
        return 0
    with sql.write():
        _delete_traces(channel_id, partition, tail, until)
        indexed.forget(channel_id, partition, until)
        gone = sql.execute(
            "DELETE FROM workflows_event"
            ' WHERE channel_id = %s AND "partition" = %s AND "offset" >= %s AND "offset" < %s',
            (channel_id, partition, tail, until),
        )
        sql.execute(
            'UPDATE workflows_head SET tail = %s WHERE channel_id = %s AND "partition" = %s',
            (until, channel_id, partition),
        )
    return gone


def _delete_traces(channel_id: int, partition: int, start: int, until: int) -> None:
    for (subscription_id,) in sql.fetch(
        "SELECT id FROM workflows_subscription WHERE channel_id = %s", (channel_id,)
    ):
        for table in ("workflows_segment", "workflows_trace"):
            sql.execute(
                f"DELETE FROM {table} WHERE subscription_id = %s"
                ' AND "partition" = %s AND "offset" >= %s AND "offset" < %s',
                (subscription_id, partition, start, until),
            )
