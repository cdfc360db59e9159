"""Which fields does a channel index, from when on, and which events have a value there?

New events are indexed in the transaction that appends them. Older ones are added afterwards, in
small slices and the newest first; what has left the log, or a removed field, goes the same way.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from workflows.engine.indexing import KEY, Indexed, digest_of, field_of, marks_of, meanings
from workflows.models import Channel, IndexedField
from workflows.storage import log, sql, stored
from workflows.storage.eventpages import EventRow

SETTLE_SECONDS = 30.0  # by then every process knows of a change, and has committed what it had
_SLICE = 200  # events, or values, of one commit

Spans = list[list[int]]  # [partition, low, high]: low ≤ offset < high


class Field(NamedTuple):
    """An indexed field of a channel, and how far it is."""

    id: int
    channel_id: int
    channel: str  # slug
    partitions: int
    path: str
    added_at: float
    missing: str | None

    @property
    def is_whole(self) -> bool:
        """Whether it has all events that the channel has."""
        return self.missing == ""

    @property
    def since(self) -> float | None:
        """Events accepted after this moment (Unix seconds) are found; None: all are."""
        if self.missing is None:
            return self.added_at + SETTLE_SECONDS
        newest = [
            found.accepted_at
            for partition, _, high in orjson.loads(self.missing or "[]")
            if (found := stored.read_one(self.channel_id, partition, high - 1)) is not None
        ]
        return max(newest, default=None)


_FIELDS = (
    "SELECT i.id, i.channel_id, c.slug, c.partitions, i.path, i.added_at, i.missing"
    " FROM workflows_indexedfield i JOIN workflows_channel c ON c.id = i.channel_id"
    " WHERE i.removed_at IS NULL"
)


def of_workspace(workspace_id: int) -> list[Field]:
    """All indexed fields of a workspace, by channel."""
    rows = sql.fetch(f"{_FIELDS} AND c.workspace_id = %s ORDER BY c.slug, i.id", (workspace_id,))
    return [Field(*row) for row in rows]


def of_channels(channel_ids: Sequence[int]) -> dict[int, list[Field]]:
    """The indexed fields of each of these channels, as they were named."""
    out: dict[int, list[Field]] = {channel_id: [] for channel_id in channel_ids}
    if channel_ids:
        marks = ", ".join(["%s"] * len(channel_ids))
        for row in sql.fetch(f"{_FIELDS} AND i.channel_id IN ({marks}) ORDER BY i.id", channel_ids):
            out[row[1]].append(Field(*row))
    return out


def choose(channel: Channel, paths: Sequence[str]) -> None:
    """Index these fields of a channel, and no others. Within a transaction."""
    Channel.objects.select_for_update().get(pk=channel.pk)  # one after the other
    now = sql.database_now()
    live = IndexedField.objects.filter(channel=channel, removed_at=None)
    live.exclude(path__in=paths).update(removed_at=now)
    have = set(live.values_list("path", flat=True))
    for path in paths:
        if path not in have:
            IndexedField.objects.create(channel=channel, path=path, added_at=now)


def find(fields: Sequence[Field], value: str, limit: int) -> list[EventRow]:
    """The newest events with that value, at most `limit` of each partition. By their digests:
    who must be sure asks the events themselves."""
    digests = [digest_of(form) for form in meanings(value)]
    params: list[tuple[int, ...]] = []
    for field in fields:
        mine = range(field.partitions)
        if field.path == KEY:
            mine = range(at := log.partition_of(value, field.partitions), at + 1)
        params += [(field.channel_id, field.id, d, at, limit) for d in digests for at in mine]
    piece = (
        'SELECT * FROM (SELECT e.channel_id, e."partition", e."offset", e.event_id, e.type, e.key,'
        " e.accepted_at FROM workflows_indexedvalue v JOIN workflows_event e ON e.channel_id = %s"
        ' AND e."partition" = v."partition" AND e."offset" = v."offset" WHERE v.field_id = %s'
        ' AND v.digest = %s AND v."partition" = %s ORDER BY v."offset" DESC LIMIT %s) AS newest'
    )
    return [EventRow(*row) for row in sql.fetch_each(piece, params)]


def forget(channel_id: int, partition: int, until: int) -> None:
    """Drop the values of events before offset `until`. Within the transaction that drops these;
    no older ones are added while it lasts."""
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    for (field_id,) in sql.fetch(
        f"SELECT id FROM workflows_indexedfield WHERE channel_id = %s ORDER BY id{lock}",
        (channel_id,),
    ):
        sql.execute(
            'DELETE FROM workflows_indexedvalue WHERE field_id = %s AND "partition" = %s'
            ' AND "offset" < %s',
            (field_id, partition, until),
        )


def drop(channel_ids: str, params: Sequence[object]) -> None:
    """Drop all values of the channels that a query selects, which are about to be deleted."""
    sql.execute(
        "DELETE FROM workflows_indexedvalue WHERE field_id IN"
        f" (SELECT id FROM workflows_indexedfield WHERE channel_id IN ({channel_ids}))",
        params,
    )


def catch_up(seconds: float) -> None:
    """Work on what is left: older events of new fields, and the values of removed ones."""
    end = time.monotonic() + seconds
    for field_id, channel_id, path, is_removed, missing in sql.fetch(
        "SELECT id, channel_id, path, removed_at IS NOT NULL, missing FROM workflows_indexedfield"
        " WHERE COALESCE(removed_at, added_at) < %s"
        " AND (removed_at IS NOT NULL OR missing IS NULL OR missing <> '') ORDER BY id",
        (sql.database_now() - SETTLE_SECONDS,),
    ):
        is_over = False
        while not is_over and time.monotonic() < end:
            if is_removed:
                is_over = _clear(field_id)
                continue
            missing = _add(field_of(field_id, path), channel_id, missing)
            is_over = not missing


def _spans(channel_id: int) -> Spans:
    """All that is in the channel now."""
    rows = sql.fetch(
        'SELECT "partition", tail, head FROM workflows_head WHERE channel_id = %s AND head > tail'
        ' ORDER BY "partition"',
        (channel_id,),
    )
    return [list(row) for row in rows]


def _add(field: Indexed, channel_id: int, before: str | None) -> str | None:
    """Index the newest events of the longest span; what is missing then, or None when somebody
    else works on it."""
    rows: list[tuple[int, int, int, int]] = []
    rest = _spans(channel_id) if before is None else orjson.loads(before)
    if rest:
        partition, low, high = longest = max(rest, key=lambda span: span[2] - span[1])
        start = max(low, high - _SLICE)
        for event in stored.read(channel_id, [(partition, start, high)]):
            marks = marks_of([field], orjson.loads(event.body), event.key)
            rows += [(*mark, partition, event.offset) for mark in marks]
        rest.remove(longest)
        rest += [[partition, low, start]] if start > low else []
    after = orjson.dumps(rest).decode() if rest else ""
    with sql.write():
        same = "missing IS NULL" if before is None else "missing = %s"
        params = (after, field.id) if before is None else (after, field.id, before)
        if not sql.execute(
            f"UPDATE workflows_indexedfield SET missing = %s WHERE id = %s AND {same}", params
        ):
            return None
        tails = dict(
            sql.fetch(
                'SELECT "partition", tail FROM workflows_head WHERE channel_id = %s', (channel_id,)
            )
        )
        sql.insert_many(
            "workflows_indexedvalue",
            'field_id, digest, "partition", "offset"',
            [row for row in rows if row[3] >= tails.get(row[2], 0)],
            "ON CONFLICT DO NOTHING",
        )
    return after


def _clear(field_id: int) -> bool:
    """Drop some values of a removed field, and it itself when none is left; whether it is gone."""
    gone = sql.execute(
        'DELETE FROM workflows_indexedvalue WHERE (field_id, digest, "partition", "offset") IN'
        ' (SELECT field_id, digest, "partition", "offset" FROM workflows_indexedvalue'
        f" WHERE field_id = %s LIMIT {_SLICE * 5})",
        (field_id,),
    )
    if not gone:
        sql.execute("DELETE FROM workflows_indexedfield WHERE id = %s", (field_id,))
    return not gone
