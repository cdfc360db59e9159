"""How is one page cut from several numbered streams, so that none is repeated or skipped?

A stream is a flow's traces or a partition's events. A place is a bound for each stream; a page is
what lies right below it (older) or right above it (newer), woven together by time.
"""

import heapq
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

_FEW = 1_000  # entries that are asked for at once, without asking which streams matter
_MORE = 8  # times as many of a stream, each time that it turns out to matter

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


class Search(NamedTuple):
    """How much a page may look through where no index says what fits."""

    numbers: int = 5_000  # at once, of all streams together
    seconds: float = 0.03  # then it is short, and the next page goes on from there


Fetch = Callable[[Sequence[Span], int], Iterable[Entry]]


def gather(
    streams: Iterable[Stream], place: Place, limit: int, fetch: Fetch, search: Search | None = None
) -> Cut:
    """The page from `place`. `fetch` finds the nearest so many entries of each of some spans.

    Asks each stream for one entry first, and for more only where the page needs them: so a page
    costs about the same however many streams there are. With a `search` it may be short although
    there is more.
    """
    reaches = [_Reach(stream, place) for stream in streams]
    reaches = [reach for reach in reaches if reach.at != reach.end]
    until = time.monotonic() + search.seconds if search else math.inf
    size = 1 if len(reaches) * limit > _FEW else limit + 1
    shown, hungry = _weave(reaches, limit)
    while hungry:
        window = search and max(1, search.numbers // len(hungry))
        asked = {reach.stream.key: (reach, reach.next(window)) for reach in hungry}
        found: dict[str, list[Entry]] = {key: [] for key in asked}
        for entry in fetch([span for _, span in asked.values()], size):
            found[entry.stream].append(entry)
        for key, (reach, span) in asked.items():
            reach.add(span, found[key], size)
        shown, hungry = _weave(reaches, limit)
        size = min(size * _MORE, limit + 1)
        if time.monotonic() > until:
            break
    bounds = {**place.bounds, **{r.stream.key: r.bound for r in reaches if r.has_moved}}
    beyond = bounds if any(reach.has_more for reach in reaches) else None
    if place.newer:
        return Cut(shown[::-1], beyond, place.bounds)
    return Cut(shown, place.bounds or None, beyond)


class _Reach:
    """How far a page has looked through one stream, what it found there, and what it shows of it.

    Going down, everything from `at` on has been looked through; going up, everything below it.
    """

    def __init__(self, stream: Stream, place: Place) -> None:
        bound = place.bounds.get(stream.key, stream.head)
        self.stream, self.newer = stream, place.newer
        if place.newer:
            self.at, self.end = min(max(bound, stream.tail), stream.head), stream.head
        else:
            self.at, self.end = max(min(bound, stream.head), stream.tail), stream.tail
        self._begin = self.at
        self.found: list[Entry] = []  # the nearest first
        self.shown = 0

    def next(self, window: int | None) -> Span:
        """What it looks at next."""
        if self.newer:
            high = self.end if window is None else min(self.end, self.at + window)
            return Span(self.stream, self.at, high)
        return Span(
            self.stream, self.end if window is None else max(self.end, self.at - window), self.at
        )

    def add(self, span: Span, entries: list[Entry], size: int) -> None:
        """Note what was found there, when `size` entries were asked for."""
        entries.sort(key=lambda entry: entry.number if self.newer else -entry.number)
        self.found += entries
        if len(entries) == size:
            self.at = entries[-1].number + self.newer
        else:
            self.at = span.high if self.newer else span.low

    @property
    def is_used_up(self) -> bool:
        """Whether only looking further could tell what comes next."""
        return self.shown == len(self.found) and self.at != self.end

    @property
    def has_more(self) -> bool:
        return self.shown < len(self.found) or self.at != self.end

    @property
    def has_moved(self) -> bool:
        return self.bound != self._begin and (self.shown > 0 or not self.found)

    @property
    def bound(self) -> int:
        """Where the next page begins."""
        if self.shown == len(self.found):
            return self.at
        return self.found[self.shown].number + (not self.newer)


def _weave(reaches: Sequence[_Reach], limit: int) -> tuple[list[Entry], list[_Reach]]:
    """The nearest `limit`, each stream in its own order; and those that might have nearer ones."""
    sign = 1 if reaches and reaches[0].newer else -1
    for reach in reaches:
        reach.shown = 0
    nearest = [(sign * one.found[0].at, i) for i, one in enumerate(reaches) if one.found]
    heapq.heapify(nearest)
    out: list[Entry] = []
    while nearest and len(out) < limit:
        _, i = heapq.heappop(nearest)
        reach = reaches[i]
        out.append(reach.found[reach.shown])
        reach.shown += 1
        if reach.shown < len(reach.found):
            heapq.heappush(nearest, (sign * reach.found[reach.shown].at, i))
    return out, [reach for reach in reaches if reach.is_used_up]
