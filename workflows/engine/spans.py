"""Which windows does an event belong to, and when is each of them closed?

A window is led by the arrival that opened it, which is held until the window closes (`due`). One
that is due is closed for all that is accepted later, whether its leader has gone on by then or not:
so a flow that catches up makes the same windows as one that was never behind.
"""

from collections.abc import Iterator, Sequence
from math import floor
from typing import Any, Literal, NamedTuple

import msgspec

from workflows.engine.aggregates import Aggregate, add, left_out, merge, result
from workflows.engine.event import JSON
from workflows.engine.node import NodeError
from workflows.engine.plain import rfc3339

Kind = Literal["tumbling", "sliding", "session", "count"]

MOST_OPEN = 1_000  # windows of one key
MOST_IDS = 1_000  # that are kept for each
_ROUNDING = 1e-3  # seconds


class Span(msgspec.Struct):
    """A window of one key. What lies in it: `n` events, the first of their ids, partial values."""

    leader: str
    start: float
    end: float
    due: float
    n: int = 0
    ids: list[str] = []
    values: dict[str, JSON] = {}


class Book(msgspec.Struct):
    """The windows of one key whose leaders are held, and the end of the last one that is gone."""

    open: list[Span] = []
    closed: float = 0.0

    def closed_until(self, now: float) -> float:
        """Nothing that lies before this can open a window any more."""
        return max([self.closed, *(span.end for span in self.open if span.due <= now)])

    def joinable(self, now: float) -> Iterator[Span]:
        """The windows that still take events."""
        return (span for span in self.open if span.due > now)

    def add(self, span: Span) -> Span:
        """Open a window. Raises NodeError when there are too many."""
        if len(self.open) >= MOST_OPEN:
            raise NodeError("limit", f"More than {MOST_OPEN:,} windows are open for one key.")
        self.open.append(span)
        return span


def grid(moment: float, size: float, every: float) -> list[tuple[float, float]]:
    """Starts and ends of the windows of length `size`, one beginning each `every` seconds since
    1970, that `moment` lies in. Kept to the millisecond, so that neighbours meet exactly."""
    place = floor(moment / every) + 1  # decimals are rounded: perhaps one too few
    found: list[tuple[float, float]] = []
    while True:
        start = round(place * every, 3)
        end = round((place + 1) * every if size == every else place * every + size, 3)
        if end <= moment:
            return found[::-1]
        if start <= moment:
            found.append((start, end))
        place -= 1


class Rule(NamedTuple):
    """How events are put into windows, in seconds."""

    kind: Kind
    size: float  # of a session or a count: at most
    every: float
    gap: float
    lateness: float


def find_spans(
    book: Book, rule: Rule, leader: str, moment: float, now: float, asked: Sequence[Aggregate]
) -> list[Span]:
    """The windows for an event of `moment`, opened where needed. Empty: too late."""
    if rule.kind == "count":
        return [_count_span(book, rule, leader, now)]
    if rule.kind == "session":
        return _session_spans(book, rule, leader, moment, now, asked)
    return _grid_spans(book, rule, leader, moment, now)


def _grid_spans(book: Book, rule: Rule, leader: str, moment: float, now: float) -> list[Span]:
    known = {span.start: span for span in book.joinable(now)}
    closed = book.closed_until(now)
    every = rule.every if rule.kind == "sliding" else rule.size
    spans = []
    for start, end in grid(moment, rule.size, every):
        if start in known:
            spans.append(known[start])
        elif end > closed:
            spans.append(book.add(Span(leader, start, end, max(end, now) + rule.lateness)))
    return spans


def _count_span(book: Book, rule: Rule, leader: str, now: float) -> Span:
    """The window that isn't full yet, or a new one."""
    for span in book.joinable(now):
        return span
    return book.add(Span(leader, now, now + rule.size, now + rule.size))


def _session_spans(
    book: Book, rule: Rule, leader: str, moment: float, now: float, asked: Sequence[Aggregate]
) -> list[Span]:
    """The session is opened, made longer, or joined with others where the event fills the gap
    between them."""
    session = _session(book, rule, leader, moment, now)
    if session is None:
        return []
    while (other := _bridged(book, session, rule.size, now)) is not None:
        _unite(book, session, other, asked)
    return [session]


def _session(book: Book, rule: Rule, leader: str, moment: float, now: float) -> Span | None:
    gap, longest = rule.gap, rule.size
    near = [s for s in book.joinable(now) if s.start < moment + gap and moment < s.end]
    near = [s for s in near if max(s.end, moment) - min(s.start, moment) <= longest + _ROUNDING]
    near.sort(key=lambda span: span.start)
    if not near:
        if moment < book.closed_until(now):
            return None
        end = moment + min(gap, longest)
        return book.add(Span(leader, moment, end, max(end, now) + rule.lateness))
    span = near[0]
    span.start = min(span.start, moment)
    span.end = max(span.end, min(moment + gap, span.start + longest))
    span.due = max(span.due, max(span.end, now) + rule.lateness)
    return span


def _bridged(book: Book, span: Span, longest: float, now: float) -> Span | None:
    """Another session that `span` has grown into, to be taken up by it."""
    for other in book.joinable(now):
        touching = other is not span and other.start < span.end and span.start < other.end
        length = max(other.end, span.end) - min(other.start, span.start)
        if touching and length <= longest + _ROUNDING:
            return other
    return None


def enter(span: Span, event_id: str, asked: Sequence[Aggregate], values: Sequence[JSON]) -> None:
    """Put an event into a window, with its values for what is asked."""
    span.n += 1
    if len(span.ids) < MOST_IDS:
        span.ids.append(event_id)
    for one, value in zip(asked, values, strict=True):
        span.values[_slot(one)] = add(one.function, span.values.get(_slot(one)), value)


def _slot(asked: Aggregate) -> str:
    """Where its partial value lies; another version of the flow may ask for something else."""
    return f"{asked.function} {asked.name} {asked.value}"


def _unite(book: Book, span: Span, other: Span, asked: Sequence[Aggregate]) -> None:
    """Take `other` up in `span`, which may be empty still; its leader is without a window then."""
    first, second = sorted((span, other), key=lambda one: one.start)
    span.values = {
        _slot(one): merge(one.function, first.values.get(_slot(one)), second.values.get(_slot(one)))
        for one in asked
    }
    span.ids = [*first.ids, *second.ids][:MOST_IDS]
    span.n += other.n
    span.start, span.end = first.start, max(span.end, other.end)
    span.due = max(span.due, other.due)
    book.open.remove(other)


def describe(span: Span, key: JSON, end: float, asked: Sequence[Aggregate]) -> dict[str, Any]:
    """The window as the data of an event."""
    data = {
        "key": key,
        "start": rfc3339(span.start),
        "end": rfc3339(end),
        "count": span.n,
        "ids": span.ids,
    }
    missing = {}
    for one in asked:
        partial = span.values.get(_slot(one))
        data[one.name] = result(one.function, partial)
        if left_out(partial):
            missing[one.name] = left_out(partial)
    return {**data, "left_out": missing} if missing else data
