"""How does a list go on, when it is woven from several streams that each have an order?

A stream is a flow's traces or a partition's events: numbered, newest first. The cursor of a page
tells for each stream the last number that was shown, so that a page neither repeats nor skips.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Bounds = Mapping[int, int]  # stream -> the number below which the next page begins
_MOST_STREAMS = 2_000


class Entry(NamedTuple):
    """One numbered thing in a stream, and the moment by which the streams are woven together."""

    stream: int
    number: int
    at: float


T = TypeVar("T")


def read_bounds(text: str) -> dict[int, int]:
    """`12.4711-13.22` as bounds; what can't be read is left out, for it only leads to page one."""
    bounds: dict[int, int] = {}
    for piece in text.split("-")[:_MOST_STREAMS]:
        stream, _, number = piece.partition(".")
        if _is_number(stream) and _is_number(number):
            bounds[int(stream)] = int(number)
    return bounds


def write_bounds(bounds: Bounds) -> str:
    return "-".join(f"{stream}.{number}" for stream, number in sorted(bounds.items()))


def weave(entries: Iterable[Entry], limit: int) -> tuple[list[Entry], bool]:
    """The newest `limit` of all streams, each stream in its own order; and whether there is more.

    `entries` must hold up to `limit + 1` of each stream.
    """
    streams: dict[int, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    for stream in streams.values():
        stream.sort(key=lambda entry: entry.number, reverse=True)
    heads = [(-stream[0].at, key, 0) for key, stream in streams.items()]
    heapq.heapify(heads)
    out: list[Entry] = []
    while heads and len(out) < limit:
        _, key, index = heapq.heappop(heads)
        stream = streams[key]
        out.append(stream[index])
        if index + 1 < len(stream):
            heapq.heappush(heads, (-stream[index + 1].at, key, index + 1))
    return out, bool(heads)


def go_on(bounds: Bounds, shown: Sequence[Entry]) -> str:
    """The cursor of the page that follows the entries shown."""
    following = dict(bounds)
    for entry in shown:
        following[entry.stream] = entry.number
    return write_bounds(following)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63


def read_number(text: str) -> int | None:
    """A whole number from an address, or None when it isn't one."""
    return int(text) if _is_number(text) else None
