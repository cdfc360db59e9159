"""How large may be what a node makes of one event?

The doors bound what comes in; this bounds what it becomes, so that one event can't fill the memory
of a worker or the disk. Only what is new is measured, by writing it as it will be stored.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson

from workflows.engine.effects import Effect, Publish
from workflows.engine.event import JSON, Event
from workflows.engine.node import Emission, Failed

MIB = 1_048_576
MOST_BYTES = MIB  # of one event or request: four times what the doors take
MOST_STATE = 4 * MIB  # of one value that a node keeps
MOST_OF_ROOT = 8 * MIB  # of all that one event becomes in one run
MOST_OF_RUN = 64 * MIB  # then a batch is taken in smaller parts


class Overfull(Exception):
    """The events of this run become too much together. Run fewer of them at once."""


class Sizes:
    """Counts what a run makes, by root. With `bounded`, many roots may be too much together."""

    def __init__(self, dict_of: Callable[[Event], dict[str, Any]], bounded: bool) -> None:
        self._dict_of, self._bounded = dict_of, bounded
        self._of_root: dict[int, int] = {}
        self._all = 0

    def check(
        self,
        root: int,
        came: Event,
        emissions: list[Emission],
        effects: Iterable[Effect],
        kept: Iterable[JSON],
    ) -> Failed | None:
        """Count what a call made; the failure where it is too large. Raises `Overfull`."""
        made = 0
        try:
            for _, event in emissions:
                if event is not came:
                    size = len(orjson.dumps(self._dict_of(event)))
                    if size > MOST_BYTES:
                        return _too_large("The event that it makes", size, MOST_BYTES)
                    made += size
            for effect in effects:
                size = _size_of(effect)
                if size > MOST_BYTES:
                    return _too_large("What it sends", size, MOST_BYTES)
                made += size
            for value in kept:
                size = len(orjson.dumps(value))
                if size > MOST_STATE:
                    return _too_large("The value that it keeps", size, MOST_STATE)
                made += size
        except (TypeError, ValueError, RecursionError) as error:
            return Failed("bug:data", f"The node made something that JSON can't carry: {error}.")
        return self._count(root, made) if made else None

    def _count(self, root: int, made: int) -> Failed | None:
        self._of_root[root] = its = self._of_root.get(root, 0) + made
        self._all += made
        if its > MOST_OF_ROOT:
            return _too_large("All that this event becomes", its, MOST_OF_ROOT)
        if self._all > MOST_OF_RUN and self._bounded and len(self._of_root) > 1:
            raise Overfull(f"{len(self._of_root)} events became {self._all:,} bytes")
        return None


def _size_of(effect: Effect) -> int:
    if isinstance(effect, Publish):
        return len(orjson.dumps(effect.event))
    return len(msgspec.json.encode(effect))


def _too_large(what: str, size: int, most: int) -> Failed:
    return Failed(
        "limit",
        f"{what} would have {size:,} bytes; at most {most:,} are taken. Remove what isn't needed,"
        " or put a link in its place.",
    )
