"""Who settles what was answered, and looks for more to call? A second thread of each process.

It settles replies in batches, gives back what wasn't called, and takes further due effects whenever
there is room.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from django.db import close_old_connections, connections

from workflows.engine.effects import Reply
from workflows.storage import dbclock
from workflows.tasks.inhand import InFlight, Room, Where

log = logging.getLogger(__name__)

BATCH = 40  # replies settled in one transaction
LINGER_SECONDS = 0.01  # how long a reply may wait for others that are under way
_WORTH_A_LOOK = 16  # places: looking for due effects is a transaction


class Ledger(NamedTuple):
    """What this thread asks of the database, in words of effects."""

    settle: Callable[[list[tuple[InFlight, Reply]]], None]
    # At most so many, but of these nodes; and when others are due again (Unix seconds).
    take: Callable[[int, list[Where]], tuple[list[InFlight], float | None]]
    give_back: Callable[[list[InFlight]], None]


class Settler:
    """The thread. `begin` gets what it has taken, `end` the places of what is settled."""

    def __init__(
        self,
        room: Room,
        ledger: Ledger,
        begin: Callable[[list[InFlight]], None],
        end: Callable[[list[Where]], None],
    ) -> None:
        self._room, self._ledger, self._begin, self._end = room, ledger, begin, end
        # What came back, and without a reply what wasn't called; None wakes the thread.
        self._replies: queue.SimpleQueue[tuple[InFlight, Reply | None] | None]
        self._replies = queue.SimpleQueue()
        self._more = threading.Event()
        self._again_at = math.inf  # monotonic: when held-back effects are due again
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settle", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def note(self, flight: InFlight, reply: Reply | None) -> None:
        """Settle this reply; without one, the effect is given back uncalled. From any thread."""
        self._replies.put((flight, reply))

    def look(self) -> None:
        """There may be due effects in the database: take some when there is room."""
        self._more.set()
        self._replies.put(None)

    def stop(self) -> None:
        """Take nothing new, and end with the last effect that is in hand."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, at most so long."""
        self._replies.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while not (self._stopping.is_set() and not self._room.used()):
            batch = self._collect()
            if batch:
                self._end_all(batch)
            if self._more.is_set() and not self._stopping.is_set():
                self._take_more()
        connections.close_all()  # this thread's own

    def _end_all(self, batch: list[tuple[InFlight, Reply | None]]) -> None:
        replies = [(flight, reply) for flight, reply in batch if reply is not None]
        uncalled = [flight for flight, reply in batch if reply is None]
        try:
            if replies:
                self._ledger.settle(replies)
            if uncalled:
                self._ledger.give_back(uncalled)
                self._more.set()
        except Exception:
            close_old_connections()
            # The rows are still there, and leased: they will be made again.
            log.exception("%d replies could not be settled", len(batch))
        for flight, reply in replies:
            self._room.note(flight.where, reply.took_ms)
        self._room.leave([flight.where for flight, _ in batch])
        self._end([flight.where for flight, _ in replies])

    def _collect(self) -> list[tuple[InFlight, Reply | None]]:
        patience = min(0.5, max(0.0, self._again_at - time.monotonic()))
        try:
            first = self._replies.get(timeout=patience) if patience else self._replies.get_nowait()
        except queue.Empty:
            first = None
        if time.monotonic() >= self._again_at:
            self._again_at = math.inf
            self._more.set()
        if first is None:
            return []
        batch = [first]
        deadline = time.monotonic() + LINGER_SECONDS
        while len(batch) < min(BATCH, self._room.used()):
            try:
                left = deadline - time.monotonic()
                item = self._replies.get(timeout=left) if left > 0 else self._replies.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                batch.append(item)
        return batch

    def _take_more(self) -> None:
        places, busy = self._room.reserve()
        if places < _WORTH_A_LOOK:
            self._room.assign(places, [])
            return  # the next settled batch makes room
        self._more.clear()
        flights: list[InFlight] = []
        try:
            flights, again_at = self._ledger.take(places, busy)
            if again_at is not None:
                due = time.monotonic() + max(0.0, again_at - dbclock.now())
                self._again_at = min(self._again_at, due)
        except Exception:
            close_old_connections()
            log.exception("due effects could not be taken")
        self._room.assign(places, [flight.where for flight in flights])
        self._begin(flights)
        if busy or len(flights) == places:
            self._more.set()  # there may be others: look again after the next batch
