"""What is known of effects that are called before the commit that would park them?

They have no rows yet. Who has decided about them waits a little for the answers, and tells then
which rows those have become that weren't answered.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from workflows.engine.effects import Reply
from workflows.tasks.inhand import InFlight


class Left(NamedTuple):
    """What of a group is to be done after its commit."""

    over: list[InFlight]  # was called: nothing
    dropped: list[InFlight]  # wasn't: nothing either
    uncalled: list[InFlight]  # call it
    replied: list[tuple[InFlight, Reply]]  # settle it


class Group:
    """The effects of one walk by their places among its asks; these are also their numbers, until
    they have rows. `wait` is for the thread that decides, all else for the one that calls."""

    def __init__(self, flights: Mapping[int, InFlight]) -> None:
        self.flights = dict(flights)
        self._replies: dict[int, Reply] = {}
        self._uncalled: set[int] = set()
        self._rows: Mapping[int, int] | None = None
        self._ready = threading.Event()

    def wait(self, seconds: float) -> dict[int, Reply]:
        """The answers so far: to all that was called, unless that takes longer than this."""
        self._ready.wait(seconds)
        return dict(self._replies)

    def leave_out(self, uncalled: Sequence[InFlight]) -> None:
        """These don't get a turn before the commit."""
        self._uncalled |= {flight.number for flight in uncalled}
        self._look_whether_ready()

    def unanswered(self) -> list[InFlight]:
        """What was called and has no answer yet."""
        known = {*self._replies, *self._uncalled}
        return [flight for place, flight in self.flights.items() if place not in known]

    def is_parked(self) -> bool:
        return self._rows is not None

    def keep(self, place: int, reply: Reply) -> None:
        """Keep an answer for who waits, or for `park`."""
        self._replies[place] = reply
        self._look_whether_ready()

    def park(self, rows: Mapping[int, int], answered: Collection[int]) -> Left:
        """The commit is over. `answered` is done; of the rest, what has a row is to go on."""
        self._rows = rows
        left = Left([], [], [], [])
        for place, flight in self.flights.items():
            parked = self.by_row(flight)
            if place in self._uncalled:
                if parked is None:
                    left.dropped.append(flight)
                else:
                    left.uncalled.append(parked)
            elif place in self._replies:
                if parked is None or place in answered:
                    left.over.append(flight)
                else:
                    left.replied.append((parked, self._replies[place]))
        return left

    def by_row(self, flight: InFlight) -> InFlight | None:
        """The same by its row; None if it has none."""
        number = None if self._rows is None else self._rows.get(flight.number)
        return None if number is None else msgspec.structs.replace(flight, number=number)

    def _look_whether_ready(self) -> None:
        if len(self._replies) + len(self._uncalled) == len(self.flights):
            self._ready.set()
