"""Which events does a program's list show? The newest of some channels, filtered, page by page."""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import log, sql
from workflows.storage.pages import Cut, Entry, Place, Span, Stream, cut, spans

_SEARCHED = 20_000  # offsets of a partition that one page of a filtered list looks through
_AT_ONCE = 100  # partitions in one statement
_COLUMNS = 'channel_id, "partition", "offset", event_id, type, key, accepted_at'


class Wanted(NamedTuple):
    """A list's filters; "" leaves a field open."""

    type: str = ""
    key: str = ""


class EventRow(NamedTuple):
    """An event as a list shows it."""

    channel_id: int
    partition: int
    offset: int
    event_id: str
    type: str
    key: str
    accepted_at: float


def page(
    channel_ids: Sequence[int], wanted: Wanted, place: Place, limit: int
) -> tuple[list[EventRow], Cut]:
    """The events of one page, newest first, and what lies around it."""
    streams = _streams(channel_ids, wanted.key)
    looked = spans(streams, place, _SEARCHED if wanted.type or wanted.key else None)
    entries: list[Entry] = []
    for start in range(0, len(looked), _AT_ONCE):
        entries += _entries(looked[start : start + _AT_ONCE], wanted, place.newer, limit + 1)
    found = cut(entries, looked, place, limit)
    rows = _read(found.shown)
    return [rows[one[:2]] for one in found.shown if one[:2] in rows], found


def by_id(channel_ids: Sequence[int], event_id: str, limit: int) -> list[EventRow]:
    """The newest events of that id in these channels."""
    if not channel_ids:
        return []
    marks = ", ".join(["%s"] * len(channel_ids))
    return [
        EventRow(*row)
        for row in sql.fetch(
            f"SELECT {_COLUMNS} FROM workflows_event WHERE event_id = %s"
            f" AND channel_id IN ({marks}) ORDER BY accepted_at DESC LIMIT %s",
            (event_id, *channel_ids, limit),
        )
    ]


def _streams(channel_ids: Sequence[int], key: str) -> list[Stream]:
    """The partitions of the channels; with a key, those in which its events lie."""
    if not channel_ids:
        return []
    marks = ", ".join(["%s"] * len(channel_ids))
    return [
        Stream(f"{channel_id}.{partition}", tail, head)
        for channel_id, partition, head, tail, partitions in sql.fetch(
            'SELECT h.channel_id, h."partition", h.head, h.tail, c.partitions'
            " FROM workflows_head h JOIN workflows_channel c ON c.id = h.channel_id"
            f" WHERE h.head > h.tail AND h.channel_id IN ({marks})",
            channel_ids,
        )
        if not key or log.partition_of(key, partitions) == partition
    ]


def _entries(looked: Sequence[Span], wanted: Wanted, newer: bool, limit: int) -> list[Entry]:
    where = 'channel_id = %s AND "partition" = %s AND "offset" >= %s AND "offset" < %s'
    more: list[object] = []
    for column, value in wanted._asdict().items():
        if value:
            where += f" AND {column} = %s"
            more.append(value)
    order = "ASC" if newer else "DESC"
    piece = (
        'SELECT * FROM (SELECT channel_id, "partition", "offset", accepted_at'
        f' FROM workflows_event WHERE {where} ORDER BY "offset" {order} LIMIT %s) AS nearest'
    )
    params = [
        value
        for span in looked
        for value in (*_place(span.stream.key), span.low, span.high, *more, limit)
    ]
    return [
        Entry(f"{channel_id}.{partition}", offset, at)
        for channel_id, partition, offset, at in sql.fetch(
            " UNION ALL ".join([piece] * len(looked)), params
        )
    ]


def _read(shown: Sequence[Entry]) -> dict[tuple[str, int], EventRow]:
    """The rows of these entries, by stream and number. One query."""
    offsets: dict[str, list[int]] = {}
    for entry in shown:
        offsets.setdefault(entry.stream, []).append(entry.number)
    if not offsets:
        return {}
    pieces, params = [], []
    for stream, some in offsets.items():
        marks = ", ".join(["%s"] * len(some))
        pieces.append(f'(channel_id = %s AND "partition" = %s AND "offset" IN ({marks}))')
        params += [*_place(stream), *some]
    rows = sql.fetch(f"SELECT {_COLUMNS} FROM workflows_event WHERE {' OR '.join(pieces)}", params)
    return {(f"{row[0]}.{row[1]}", row[2]): EventRow(*row) for row in rows}


def _place(stream: str) -> tuple[int, int]:
    channel_id, _, partition = stream.partition(".")
    return int(channel_id), int(partition)
