"""How does an event enter the log?

Offsets are dense per (channel, partition), never reused, and become visible in their own order:
each append advances the partition's head row and commits at once (DESIGN section 5).
"""

import hashlib
import sqlite3
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import IntegrityError

from workflows.storage import heads, sql
from workflows.storage.heads import Partition
from workflows.storage.postgres import newevents

_CHUNK = 400  # values in one IN list
_SORTED_BYTES = 24  # of an id


class Incoming(msgspec.Struct, frozen=True):
    """An event on its way into the log. `body` is its CloudEvents JSON."""

    channel_id: int
    partition: int
    event_id: str
    type: str
    key: str
    digest: bytes
    body: bytes
    keep_seconds: float  # how long a repeat of it is recognised
    marks: tuple[tuple[int, int], ...] = ()  # what the channel's indexes keep of it


class Position(NamedTuple):
    """Where an event lies. `duplicate`: it lay there before."""

    channel_id: int
    partition: int
    offset: int
    duplicate: bool


def digest_of(source: str, event_id: str) -> bytes:
    """Up to 36 bytes that stand for (source, id): how the id begins, then a hash of both.

    Ids that are made one after another mostly begin alike (numbers, UUIDv7, ULID, our own), so
    those that come in together lie together in the index: a commit writes one page of it, not one
    for each event (ADR 27). The length prefix keeps "a","bc" from "ab","c".
    """
    text = f"{len(source)}:{source}{event_id}".encode()
    return event_id.encode()[:_SORTED_BYTES] + hashlib.blake2b(text, digest_size=12).digest()


def partition_of(key: str, partitions: int) -> int:
    """The same key in the same partition, on every machine and in every release."""
    return zlib.crc32(key.encode()) % partitions


def append(batch: Sequence[Incoming], now: float) -> list[Position]:
    """Store a batch in one transaction; when this returns, it is on disk.

    The answer has one position for each event, in order. Events that were seen before (or twice
    in the batch) are not stored again: their position is the original's.
    """
    try:
        if sql.is_postgres():
            return _append_in_one(batch, now)
        with sql.write():
            return _append_fresh(batch, now)
    except IntegrityError:  # some were seen before: which ones?
        with sql.write():
            return append_within(batch, now)


def append_at_once(batch: Sequence[Incoming], now: float) -> list[Position] | None:
    """`append` for a thread that must not wait long. None, and nothing is stored, where it would
    have to, or if some of the events were seen before."""
    try:
        with sql.write_at_once() as is_begun:
            return _append_fresh(batch, now) if is_begun else None
    except sqlite3.Error:  # whatever it is, `append` meets it too
        return None


def _append_fresh(batch: Sequence[Incoming], now: float) -> list[Position]:
    """`append_within` for a batch of events that are all new; else IntegrityError."""
    places = heads.take(_partitions(batch))
    _remember(batch, places, now)
    _insert(batch, places, now)
    return [
        Position(item.channel_id, *place, False) for item, place in zip(batch, places, strict=True)
    ]


def _append_in_one(batch: Sequence[Incoming], now: float) -> list[Position]:
    """The same on PostgreSQL, in a transaction of one statement."""
    counts: Counter[Partition] = Counter()
    events, marks = [], []
    for item in batch:
        nth = (item.channel_id, item.partition, counts[item.channel_id, item.partition])
        counts[nth[:2]] += 1
        expires_at = now + item.keep_seconds
        events.append(
            (*nth, item.digest, expires_at, item.event_id, item.type, item.key, item.body)
        )
        marks += [(*nth, *mark) for mark in item.marks]
    with sql.write_one():
        heads = newevents.store([(*where, n) for where, n in counts.items()], events, marks, now)
    return [
        Position(channel_id, partition, heads[channel_id, partition] + nth, False)
        for channel_id, partition, nth, *_ in events
    ]


def _partitions(batch: Sequence[Incoming]) -> list[Partition]:
    return [(item.channel_id, item.partition) for item in batch]


def append_within(batch: Sequence[Incoming], now: float) -> list[Position]:
    """`append` as the last part of a transaction that is already open."""
    first: dict[tuple[int, bytes], Incoming] = {}
    for item in batch:
        first.setdefault((item.channel_id, item.digest), item)
    if sql.is_postgres():
        heads.lock(sorted(set(_partitions(batch))))
        known = _claim(first, now)
    else:
        known = _known(list(first))
    fresh = [item for name, item in first.items() if name not in known]
    places = heads.take(_partitions(fresh))
    if sql.is_postgres():
        _place(fresh, places)
    else:
        _remember(fresh, places, now)
    _insert(fresh, places, now)
    placed = {
        (item.channel_id, item.digest): place for item, place in zip(fresh, places, strict=True)
    }
    out = []
    for item in batch:
        name = (item.channel_id, item.digest)
        if name in known:
            out.append(Position(item.channel_id, *known[name], True))
        else:
            out.append(Position(item.channel_id, *placed[name], first[name] is not item))
    return out


Places = dict[tuple[int, bytes], tuple[int, int]]  # (channel, digest) -> (partition, offset)


def _known(names: list[tuple[int, bytes]]) -> Places:
    """Which of these were seen before, and where they lie."""
    out: Places = {}
    by_channel: dict[int, list[bytes]] = {}
    for channel_id, digest in names:
        by_channel.setdefault(channel_id, []).append(digest)
    for channel_id, digests in by_channel.items():
        for start in range(0, len(digests), _CHUNK):
            part = digests[start : start + _CHUNK]
            marks = ", ".join(["%s"] * len(part))
            for digest, partition, offset in sql.fetch(
                'SELECT digest, "partition", "offset" FROM workflows_seen'
                f" WHERE channel_id = %s AND digest IN ({marks})",
                (channel_id, *part),
            ):
                out[channel_id, bytes(digest)] = (partition, offset)
    return out


def _claim(first: dict[tuple[int, bytes], Incoming], now: float) -> Places:
    """PostgreSQL: reserve the names that nobody has, not even an append that is still under way,
    in one order for everybody."""
    names = sorted(first)
    columns = (
        [channel_id for channel_id, _ in names],
        [digest for _, digest in names],
        [now + first[name].keep_seconds for name in names],
    )
    mine = {
        (channel_id, bytes(digest))
        for channel_id, digest in sql.fetch(
            'INSERT INTO workflows_seen (channel_id, digest, "partition", "offset", expires_at)'
            " SELECT c, d, 0, -1, e FROM unnest(%s::bigint[], %s::bytea[], %s::float8[])"
            " AS t(c, d, e) ORDER BY c, d"
            " ON CONFLICT (channel_id, digest) DO NOTHING RETURNING channel_id, digest",
            columns,
        )
    }
    return _known([name for name in names if name not in mine])


def _remember(fresh: Sequence[Incoming], places: list[tuple[int, int]], now: float) -> None:
    """Add new names, in their order. IntegrityError if one isn't new."""
    sql.insert_many(
        "workflows_seen",
        'channel_id, digest, "partition", "offset", expires_at',
        sorted(
            (item.channel_id, item.digest, *place, now + item.keep_seconds)
            for item, place in zip(fresh, places, strict=True)
        ),
    )


def _insert(fresh: Sequence[Incoming], places: list[tuple[int, int]], now: float) -> None:
    events: list[Sequence[Any]] = []
    values: list[Sequence[Any]] = []
    for item, (partition, offset) in zip(fresh, places, strict=True):
        if item.marks:
            values += [(*mark, partition, offset) for mark in item.marks]
        events.append(
            (
                item.channel_id,
                partition,
                offset,
                item.event_id,
                item.type,
                item.key,
                now,
                item.body,
            )
        )
    sql.insert_many(
        "workflows_event",
        'channel_id, "partition", "offset", event_id, type, key, accepted_at, body',
        events,
    )
    if values:
        sql.insert_many("workflows_indexedvalue", 'field_id, digest, "partition", "offset"', values)


def _place(claimed: Sequence[Incoming], places: list[tuple[int, int]]) -> None:
    """PostgreSQL: tell the claimed names where their events lie."""
    if claimed:
        partitions, offsets = zip(*places, strict=True)
        sql.execute(
            'UPDATE workflows_seen s SET "partition" = t.p, "offset" = t.o'
            " FROM unnest(%s::bigint[], %s::bytea[], %s::int[], %s::bigint[]) AS t(c, d, p, o)"
            " WHERE s.channel_id = t.c AND s.digest = t.d",
            (
                [item.channel_id for item in claimed],
                [item.digest for item in claimed],
                list(partitions),
                list(offsets),
            ),
        )
