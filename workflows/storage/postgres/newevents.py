"""How does PostgreSQL store a group of events that are all new? In one statement.

That is one round trip and a transaction by itself; statement by statement it would be eight, each
of which waits for two processes to get their turn.
"""

from collections.abc import Sequence
from typing import Any

from workflows.storage import sql
from workflows.storage.heads import ADVANCE_LOCKED, LOCKED
from workflows.storage.postgres.arrays import Array

# The heads are locked in their order, by everybody, before any name is claimed, in its order: the
# join with `moved` has to be complete before the names are sorted (see `heads.lock`).
_STORE = """
WITH v AS (SELECT * FROM unnest(%s, %s, %s) AS v(c, p, n)),
{locked},
moved AS ({advance}),
fresh AS (
    SELECT e.*, moved.head + e.nth AS o
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s)
    AS e(c, p, nth, digest, expires_at, event_id, type, key, body)
    JOIN moved ON moved.c = e.c AND moved.p = e.p
),
seen AS (
    INSERT INTO workflows_seen (channel_id, digest, "partition", "offset", expires_at)
    SELECT c, digest, p, o, expires_at FROM fresh ORDER BY c, digest
),
stored AS (
    INSERT INTO workflows_event
    (channel_id, "partition", "offset", event_id, type, key, accepted_at, body)
    SELECT c, p, o, event_id, type, key, %s, body FROM fresh
){marked}
SELECT c, p, head FROM moved
"""
_MARKED = """,
marked AS (
    INSERT INTO workflows_indexedvalue (field_id, digest, "partition", "offset")
    SELECT m.field_id, m.digest, m.p, moved.head + m.nth
    FROM unnest(%s, %s, %s, %s, %s) AS m(c, p, nth, field_id, digest)
    JOIN moved ON moved.c = m.c AND moved.p = m.p
)"""
_PLAIN, _WITH_MARKS = (
    _STORE.format(locked=LOCKED, advance=ADVANCE_LOCKED, marked=marked) for marked in ("", _MARKED)
)


def store(
    heads: Sequence[Sequence[Any]],
    events: Sequence[Sequence[Any]],
    marks: Sequence[Sequence[Any]],
    now: float,
) -> dict[tuple[int, int], int]:
    """Store events of one transaction; the heads as they were before, by (channel, partition).

    `heads`: (channel, partition, how many events). `events`: (channel, partition, which one of
    those, digest, Unix seconds until when it counts as seen, id, type, key, body). `marks`:
    (channel, partition, which one, indexed field, digest of its value).
    Raises IntegrityError if one of them was seen before; then nothing is stored.
    """
    columns = [*zip(*heads, strict=True), *zip(*events, strict=True)]
    params: list[Any] = [*map(Array, columns), now, *map(Array, zip(*marks, strict=True))]
    rows = sql.fetch(_WITH_MARKS if marks else _PLAIN, params)
    return {(channel_id, partition): head for channel_id, partition, head in rows}
