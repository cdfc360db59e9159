"""Which events of a channel does somebody mean? A selection as spans of offsets, counted and read.

A partition's accept times rise with its offsets, but for the clocks of the machines that accept:
so moments are looked for in a sorted list, with some slack, and each event is asked again.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from workflows.storage import log, sql
from workflows.storage.stored import Stored

_SLACK_SECONDS = 60.0  # by which clocks of accepting machines may differ
_SEARCHED = 20_000  # offsets of a span that one statement of a filtered selection looks through
_STREAMS = 64  # spans that are read side by side


class Span(NamedTuple):
    """Offsets of a partition: low ≤ offset < high."""

    partition: int
    low: int
    high: int


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is meant: all that is given must fit. `places` are (partition, offset)."""

    since: float | None = None
    until: float | None = None
    type: str = ""
    key: str = ""
    ranges: tuple[Span, ...] = ()
    places: tuple[tuple[int, int], ...] = ()

    @property
    def filters(self) -> bool:
        """Whether an event within the spans may not be meant."""
        return bool(self.type or self.key or self.since is not None or self.until is not None)


class Batch(NamedTuple):
    """The next events, in the order in which they were accepted, and how far each span was read
    for them. The first `ready` may be used: older ones may still come before the others."""

    rows: list[Stored]
    reach: dict[Span, int]
    ready: int

    def left(self, spans: Sequence[Span], used: int) -> list[Span]:
        """What is left of the spans when the first `used` rows are done with."""
        low = dict(self.reach)
        for row in self.rows[used:]:
            for span in self.reach:
                if span.partition == row.partition and span.low <= row.offset < span.high:
                    low[span] = min(low[span], row.offset)
        moved = (span._replace(low=low.get(span, span.low)) for span in spans)
        return [span for span in moved if span.low < span.high]


def spans(channel_id: int, selection: Selection) -> list[Span]:
    """Where the selection lies now: what comes in later isn't meant."""
    heads = {
        partition: (tail, head)
        for partition, tail, head in sql.fetch(
            'SELECT "partition", tail, head FROM workflows_head WHERE channel_id = %s',
            (channel_id,),
        )
    }
    wanted: Iterable[Span] = (Span(partition, *bounds) for partition, bounds in heads.items())
    if selection.ranges:
        wanted = selection.ranges
    if selection.places:
        wanted = (Span(partition, offset, offset + 1) for partition, offset in selection.places)
    if selection.key:
        mine = log.partition_of(selection.key, len(heads))
        wanted = (span for span in wanted if span.partition == mine)
    found = []
    for span in sorted(set(wanted)):
        tail, head = heads.get(span.partition, (0, 0))
        low, high = max(span.low, tail), min(span.high, head)
        if low < high and selection.since is not None:
            low = _first_since(channel_id, span.partition, low, high, selection.since, -1)
        if low < high and selection.until is not None:
            high = _first_since(channel_id, span.partition, low, high, selection.until, 1)
        if low < high:
            found.append(Span(span.partition, low, high))
    return _apart(found)


def _apart(found: list[Span]) -> list[Span]:
    """Sorted spans that don't overlap."""
    out: list[Span] = []
    for span in found:
        if out and out[-1].partition == span.partition and span.low <= out[-1].high:
            out[-1] = out[-1]._replace(high=max(out[-1].high, span.high))
        else:
            out.append(span)
    return out


def _first_since(
    channel_id: int, partition: int, low: int, high: int, moment: float, slack: int
) -> int:
    """The first offset that was accepted at `moment`, on the safe side of it by the slack."""
    moment += slack * _SLACK_SECONDS
    while low < high:
        middle = (low + high) // 2
        rows = sql.fetch(
            'SELECT accepted_at, "offset" FROM workflows_event WHERE channel_id = %s'
            ' AND "partition" = %s AND "offset" >= %s AND "offset" < %s ORDER BY "offset" LIMIT 1',
            (channel_id, partition, middle, high),
        )
        if rows and rows[0][0] < moment:
            low = rows[0][1] + 1
        else:
            high = middle
    return low


def _fits(selection: Selection) -> tuple[str, list[Any]]:
    where, params = sql.equal({"type": selection.type, "key": selection.key})
    if selection.since is not None:
        where, params = f"{where} AND accepted_at >= %s", [*params, selection.since]
    if selection.until is not None:
        where, params = f"{where} AND accepted_at < %s", [*params, selection.until]
    return where, params


def count(
    channel_id: int, selection: Selection, among: Sequence[Span], most: int
) -> tuple[int, list[Span]]:
    """How many events are meant, looking at `most` offsets; and what wasn't looked at."""
    where, params = _fits(selection)
    found, left = 0, list(among)
    while left and most > 0:
        span = left.pop(0)
        high = min(span.high, span.low + most)
        most -= high - span.low
        found += sql.fetch(
            'SELECT COUNT(*) FROM workflows_event WHERE channel_id = %s AND "partition" = %s'
            f' AND "offset" >= %s AND "offset" < %s{where}',
            (channel_id, span.partition, span.low, high, *params),
        )[0][0]
        if high < span.high:
            left.insert(0, span._replace(low=high))
    return found, left


def read(channel_id: int, selection: Selection, among: Sequence[Span], limit: int) -> Batch:
    """The next events that are meant, at most `limit` and `_STREAMS` of them."""
    streams = list(among[:_STREAMS])
    share = max(1, limit // max(1, len(streams)))
    window = _SEARCHED if selection.filters else share
    ends = {span: min(span.high, span.low + window) for span in streams}
    found = _rows(channel_id, selection, ends, share)
    reach: dict[Span, int] = {}
    horizon = math.inf
    for span in streams:
        rows = found.get(span, [])
        reach[span] = rows[-1].offset + 1 if len(rows) == share else ends[span]
        if reach[span] < span.high:  # beyond what was read there may be older events
            horizon = min(horizon, max((row.accepted_at for row in rows), default=-math.inf))
    woven = _woven(list(found.values()))
    ready = sum(at <= horizon for at, _ in woven)
    return Batch([row for _, row in woven], reach, min(ready, limit))


def _woven(streams: Sequence[Sequence[Stored]]) -> list[tuple[float, Stored]]:
    """All rows by their moment; within a stream never against its own order."""
    out: list[tuple[float, Stored]] = []
    for rows in streams:
        latest = 0.0
        for row in rows:
            latest = max(latest, row.accepted_at)
            out.append((latest, row))
    return sorted(out, key=lambda one: (one[0], one[1].partition, one[1].offset))


def _rows(
    channel_id: int, selection: Selection, ends: dict[Span, int], share: int
) -> dict[Span, list[Stored]]:
    where, more = _fits(selection)
    piece = (
        'SELECT * FROM (SELECT %s AS span, "partition", "offset", event_id, type, key, accepted_at,'
        ' body FROM workflows_event WHERE channel_id = %s AND "partition" = %s'
        f' AND "offset" >= %s AND "offset" < %s{where} ORDER BY "offset" LIMIT %s) AS next'
    )
    among = list(ends)
    params = [
        (index, channel_id, span.partition, span.low, ends[span], *more, share)
        for index, span in enumerate(among)
    ]
    out: dict[Span, list[Stored]] = {}
    for index, *row in sql.fetch_each(piece, params):
        out.setdefault(among[int(index)], []).append(Stored._make((*row[:6], bytes(row[6]))))
    return {span: sorted(rows, key=lambda row: row.offset) for span, rows in out.items()}
