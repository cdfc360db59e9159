"""Which events does a list show? Those of some channels, filtered, newest first, page by page."""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import log, sql
from workflows.storage.pages import WHOLE, Bounds, Cut, Entry, Place, Search, Span, Stream, gather

_COLUMNS = 'channel_id, "partition", "offset", event_id, type, key, accepted_at'


class Wanted(NamedTuple):
    """A list's filters; "" leaves a field open."""

    type: str = ""
    key: str = ""
    id: str = ""
    prefix: str = ""  # the beginning of a type


EVERYTHING = Wanted()


class EventRow(NamedTuple):
    """An event as a list shows it."""

    channel_id: int
    partition: int
    offset: int
    event_id: str
    type: str
    key: str
    accepted_at: float

    @property
    def position(self) -> str:
        """How addresses name its place."""
        return position(self.channel_id, self.partition, self.offset)


def position(channel_id: int, partition: int, offset: int) -> str:
    """How addresses name an event's place in the log."""
    return f"{channel_id}-{partition}-{offset}"


def page(
    channel_ids: Sequence[int], wanted: Wanted, place: Place, limit: int
) -> tuple[list[EventRow], Cut]:
    """The events of one page, newest first, and what lies around it.

    Those of one id are one page. A page may be short although there is more: with a filter, it
    looks back for a moment only (`pages.Search`).
    """
    if wanted.id:
        return _by_id(channel_ids, wanted, limit), WHOLE

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        return _entries(looked, wanted, place.newer, size)

    streams = _streams(channel_ids, wanted.key)
    found = gather(streams, place, limit, fetch, Search() if any(wanted) else None)
    return _read(found.shown), found


def looked_back_to(bounds: Bounds) -> float | None:
    """The moment (Unix seconds) since when everything above these bounds was accepted; None when
    nothing lies below them."""
    below = (
        "SELECT * FROM (SELECT accepted_at FROM workflows_event WHERE channel_id = %s"
        ' AND "partition" = %s AND "offset" < %s ORDER BY "offset" DESC LIMIT 1) AS below'
    )
    places = [(*_place(stream), offset) for stream, offset in bounds.items() if "." in stream]
    return max((at for (at,) in sql.fetch_each(below, places)), default=None)


def newest(channel_id: int) -> bytes | None:
    """The body of the newest event of a channel, or None."""
    rows, _ = page([channel_id], EVERYTHING, Place({}), 1)
    return next(iter(bodies(rows).values()), None)


def bodies(rows: Sequence[EventRow]) -> dict[EventRow, bytes]:
    """What was sent, for each of these events that is still there. One query."""
    if not rows:
        return {}
    marks = ", ".join(["(%s, %s, %s)"] * len(rows))
    found = {
        tuple(place): bytes(body)
        for *place, body in sql.fetch(
            # SQLite keeps to the order of a CROSS JOIN: it looks up each place. By itself it would
            # read all events.
            f"WITH v(c, p, o) AS (VALUES {marks})"
            ' SELECT e.channel_id, e."partition", e."offset", e.body'
            " FROM v CROSS JOIN workflows_event e"
            ' WHERE e.channel_id = v.c AND e."partition" = v.p AND e."offset" = v.o',
            [value for row in rows for value in row[:3]],
        )
    }
    return {row: found[row[:3]] for row in rows if row[:3] in found}


def _by_id(channel_ids: Sequence[int], wanted: Wanted, limit: int) -> list[EventRow]:
    if not channel_ids:
        return []
    where, more = _filter(wanted)
    marks = ", ".join(["%s"] * len(channel_ids))
    return [
        EventRow(*row)
        for row in sql.fetch(
            f"SELECT {_COLUMNS} FROM workflows_event WHERE channel_id IN ({marks}){where}"
            " ORDER BY accepted_at DESC LIMIT %s",
            (*channel_ids, *more, limit),
        )
    ]


def _filter(wanted: Wanted) -> tuple[str, list[object]]:
    where, params = sql.equal({"type": wanted.type, "key": wanted.key, "event_id": wanted.id})
    if wanted.prefix:
        where += " AND substr(type, 1, %s) = %s"
        params += [len(wanted.prefix), wanted.prefix]
    return where, params


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
    where, more = _filter(wanted)
    order = "ASC" if newer else "DESC"
    piece = (
        'SELECT * FROM (SELECT channel_id, "partition", "offset", accepted_at'
        ' FROM workflows_event WHERE channel_id = %s AND "partition" = %s'
        f' AND "offset" >= %s AND "offset" < %s{where}'
        f' ORDER BY "offset" {order} LIMIT %s) AS nearest'
    )
    params = [(*_place(one.stream.key), one.low, one.high, *more, limit) for one in looked]
    return [
        Entry(f"{channel_id}.{partition}", offset, at)
        for channel_id, partition, offset, at in sql.fetch_each(piece, params)
    ]


def _read(shown: Sequence[Entry]) -> list[EventRow]:
    """The rows of these entries, in their order."""
    offsets: dict[str, list[int]] = {}
    for entry in shown:
        offsets.setdefault(entry.stream, []).append(entry.number)
    if not offsets:
        return []
    pieces, params = [], []
    for stream, some in offsets.items():
        marks = ", ".join(["%s"] * len(some))
        pieces.append(f'(channel_id = %s AND "partition" = %s AND "offset" IN ({marks}))')
        params += [*_place(stream), *some]
    rows = sql.fetch(f"SELECT {_COLUMNS} FROM workflows_event WHERE {' OR '.join(pieces)}", params)
    found = {(f"{row[0]}.{row[1]}", row[2]): EventRow(*row) for row in rows}
    return [found[one[:2]] for one in shown if one[:2] in found]


def _place(stream: str) -> tuple[int, int]:
    channel_id, _, partition = stream.partition(".")
    return int(channel_id), int(partition)
