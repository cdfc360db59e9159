"""Which offsets do new events get? The next ones of their partitions, which the heads tell.

A head that was advanced stays locked until the commit: so offsets are dense, and become visible in
their own order (DESIGN section 5).
"""

from collections.abc import Sequence

import orjson

from workflows.storage import sql

Partition = tuple[int, int]  # (channel, partition)


# PostgreSQL's UPDATE takes its locks in any order; this takes them sorted, by the way (see `lock`).
# `v` says which heads go on, and by how many; the answer is as they were before.
LOCKED = """locked AS (
    SELECT h.channel_id, h."partition" FROM workflows_head h
    JOIN v ON h.channel_id = v.c AND h."partition" = v.p
    ORDER BY h.channel_id, h."partition" FOR UPDATE OF h
)"""
ADVANCE_LOCKED = """UPDATE workflows_head AS h SET head = head + v.n FROM v, locked
    WHERE h.channel_id = v.c AND h."partition" = v.p
    AND locked.channel_id = v.c AND locked."partition" = v.p
    RETURNING h.channel_id AS c, h."partition" AS p, h.head - v.n AS head"""


def take(wanted: Sequence[Partition]) -> list[tuple[int, int]]:
    """Advance the heads, in their order, for an event in each of these; (partition, offset) of
    each event."""
    counts: dict[Partition, int] = {}
    for where in wanted:
        counts[where] = counts.get(where, 0) + 1
    rows = [(*where, n) for where, n in sorted(counts.items())]
    following = _advance(rows) if rows else {}
    places = []
    for where in wanted:
        places.append((where[1], following[where]))
        following[where] += 1
    return places


def _advance(rows: list[tuple[int, int, int]]) -> dict[Partition, int]:
    """The heads as they were before, by (channel, partition); `rows` says by how much they go on.

    SQLite: one answer with all of them, because its driver lets go of the interpreter lock for each
    row that it steps to, and the threads of a busy server hold it for milliseconds.
    """
    match = 'channel_id = v.c AND "partition" = v.p'
    if sql.is_postgres():
        found = sql.find_many(f", {LOCKED} {ADVANCE_LOCKED}", "c, p, n", rows)
    else:
        told = sql.find_many(
            "SELECT json_group_array(json_array(v.c, v.p, head)) FROM v"
            f" JOIN workflows_head ON {match}",
            "c, p, n",
            rows,
        )
        found = [head for (part,) in told for head in orjson.loads(part)]
        sql.update_many("workflows_head", "head = head + v.n", "c, p, n", match, rows)
    return {(channel_id, partition): head for channel_id, partition, head in found}


def lock(partitions: Sequence[Partition]) -> None:
    """PostgreSQL: an UPDATE takes its locks in any order, and any order deadlocks. So everybody
    locks the heads first, sorted, and then the names, sorted."""
    if not partitions:
        return
    where = " OR ".join(['(channel_id = %s AND "partition" = %s)'] * len(partitions))
    sql.fetch(
        f"SELECT head FROM workflows_head WHERE {where}"
        ' ORDER BY channel_id, "partition" FOR UPDATE',
        [value for one in partitions for value in one],
    )
