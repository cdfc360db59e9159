"""How is one page cut from several numbered streams, so that none is repeated or skipped?

A stream is a flow's traces or a partition's events. A place is a bound for each stream; a page is
what lies right below it (older) or right above it (newer), woven together by time.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Bounds = Mapping[str, int]  # stream -> the number below which the older page begins


class Place(NamedTuple):
    """Where a page begins, and in which direction it goes."""

    bounds: Bounds
    newer: bool = False


class Stream(NamedTuple):
    key: str
    tail: int  # the lowest number that there may be
    head: int  # above the highest


class Span(NamedTuple):
    """The numbers of a stream that a page looks at: low ≤ number < high."""

    stream: Stream
    low: int
    high: int


class Entry(NamedTuple):
    """One numbered thing in a stream, and the moment by which the streams are woven."""

    stream: str
    number: int
    at: float


class Cut(NamedTuple):
    """A page. `first` and `last` are the bounds around it; None: nothing lies beyond."""

    shown: list[Entry]  # newest first
    first: Bounds | None
    last: Bounds | None


WHOLE = Cut([], None, None)  # around a list that is always one page


def spans(streams: Iterable[Stream], place: Place, window: int | None) -> list[Span]:
    """What a page from `place` looks at; at most `window` numbers of each stream, if given."""
    out = []
    for stream in streams:
        bound = place.bounds.get(stream.key)
        if place.newer:
            low = stream.head if bound is None else max(bound, stream.tail)
            high = stream.head if window is None else min(stream.head, low + window)
        else:
            high = stream.head if bound is None else min(bound, stream.head)
            low = stream.tail if window is None else max(stream.tail, high - window)
        if low < high:
            out.append(Span(stream, low, high))
    return out


def cut(entries: Iterable[Entry], looked: Sequence[Span], place: Place, limit: int) -> Cut:
    """The page from `place`. `entries` must hold the nearest `limit + 1` of each span.

    A page may be short although there is more: then its spans were windows, and go on.
    """
    shown, is_full = _weave(entries, limit, place.newer)
    bounds = dict(place.bounds)
    if place.newer:
        if is_full:
            bounds.update((entry.stream, entry.number + 1) for entry in shown)
        else:
            bounds.update((span.stream.key, span.high) for span in looked)
        more = is_full or any(span.high < span.stream.head for span in looked)
        return Cut(shown[::-1], bounds if more else None, place.bounds)
    if is_full:
        bounds.update((entry.stream, entry.number) for entry in shown)
    else:
        bounds.update((span.stream.key, span.low) for span in looked)
    more = is_full or any(span.low > span.stream.tail for span in looked)
    return Cut(shown, place.bounds or None, bounds if more else None)


def _weave(entries: Iterable[Entry], limit: int, newer: bool) -> tuple[list[Entry], bool]:
    """The nearest `limit`, each stream in its own order; and whether some were left over."""
    sign = 1 if newer else -1
    streams: dict[str, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    for some in streams.values():
        some.sort(key=lambda entry: sign * entry.number)
    nearest = [(sign * some[0].at, key, 0) for key, some in streams.items()]
    heapq.heapify(nearest)
    out: list[Entry] = []
    while nearest and len(out) < limit:
        _, key, index = heapq.heappop(nearest)
        out.append(streams[key][index])
        if index + 1 < len(streams[key]):
            heapq.heappush(nearest, (sign * streams[key][index + 1].at, key, index + 1))
    return out, bool(nearest)
