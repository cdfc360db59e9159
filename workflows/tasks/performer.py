"""Who performs the effects that the workers have committed? One performer in each process.

A thread with an event loop makes the calls, at most `inhand.LIMIT` unsettled at a time; a second
thread settles the replies in batches, and takes further due effects whenever there is room. A
process that dies leaves rows whose leases run out: they are made again, under the same keys.
"""

import asyncio
import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

import uvloop
from django.db import close_old_connections, connections

from workflows.connectors.base import Connector
from workflows.engine.effects import Reply
from workflows.storage import dbclock
from workflows.tasks.ahead import Group
from workflows.tasks.inhand import InFlight, Room, Turns, Where

log = logging.getLogger(__name__)

BATCH = 40  # replies settled in one transaction
LINGER_SECONDS = 0.01  # how long a reply may wait for others that are under way
_LATE_LOOK_SECONDS = 0.5
_WORTH_A_LOOK = 16  # places: looking for due effects is a transaction

Settle = Callable[[list[tuple[InFlight, Reply]]], None]
Take = Callable[[int, list[Where]], tuple[list[InFlight], float | None]]
GiveBack = Callable[[list[InFlight]], None]
_T = TypeVar("_T")


class Performer:
    """Starts its two threads on construction; `stop` ends them."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        settle: Settle,
        take: Take,
        give_back: GiveBack,
    ) -> None:
        self.room = Room()
        self._connectors = connectors
        self._settle, self._take, self._give_back = settle, take, give_back
        # What came back, and without a reply what wasn't called; None wakes the settling thread.
        self._replies: queue.SimpleQueue[tuple[InFlight, Reply | None] | None]
        self._replies = queue.SimpleQueue()
        self._turns = Turns()
        self._will_look = False  # for those who have waited too long
        self._more = threading.Event()
        self._again_at = math.inf  # monotonic: when held-back effects are due again
        self._stopping = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = uvloop.new_event_loop()
        ready = threading.Event()
        self._acting = threading.Thread(target=self._act, args=(ready,), name="act", daemon=True)
        self._settling = threading.Thread(target=self._settle_all, name="settle", daemon=True)
        self._acting.start()
        ready.wait()
        self._settling.start()

    def begin(self, flights: Sequence[InFlight]) -> None:
        """Perform effects whose places were admitted. Returns at once."""
        if flights:
            self._in_loop(self._start, list(flights))

    def call_ahead(self, flights: Mapping[int, InFlight]) -> Group:
        """Perform effects whose places were admitted and that have no rows yet, by their places in
        a walk: as many as may be called at once. `park` must follow."""
        group = Group(flights)
        self._in_loop(self._start_ahead, group)
        return group

    def park(self, group: Group, rows: Mapping[int, int], answered: Collection[int]) -> None:
        """After its commit: which rows the places of a group have become, and which were answered.
        What is neither is forgotten."""
        self._in_loop(self._park, (group, rows, answered))

    def _in_loop(self, do: Callable[[_T], None], what: _T) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended: nothing more is called
            self._loop.call_soon_threadsafe(do, what)

    def look(self) -> None:
        """There may be due effects in the database: take some when there is room."""
        self._more.set()
        self._replies.put(None)

    def stop(self, seconds: float) -> None:
        """Take nothing new, wait for what is in flight (at most so long), end the threads."""
        self._stopping.set()
        self.room.close()
        deadline = time.monotonic() + seconds
        self._loop.call_soon_threadsafe(self._drop)
        while self.room.used() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._replies.put(None)
        for thread in (self._acting, self._settling):
            thread.join(max(1.0, deadline - time.monotonic()))  # it may be in mid-transaction

    # --- the acting thread
    def _act(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        for connector in self._connectors.values():
            self._loop.run_until_complete(connector.open())
        ready.set()
        self._loop.run_forever()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        for connector in self._connectors.values():
            self._loop.run_until_complete(connector.close())
        self._loop.close()

    def _start(self, flights: list[InFlight]) -> None:
        self._turns.add(flights)
        self._call_next()

    def _end(self, settled: list[Where]) -> None:
        self._turns.end(settled)
        self._call_next()

    def _call_next(self) -> None:
        if self._stopping.is_set():
            self._drop()
            return
        due, late = self._turns.next(time.monotonic())
        for flight in late:
            self._replies.put((flight, None))
        for flight in due:
            if flight.known is not None:
                self._replies.put((flight, flight.known))
            else:
                self._call(flight, self._note_reply)
        if self._turns.is_waiting and not self._will_look:
            self._will_look = True
            self._loop.call_later(_LATE_LOOK_SECONDS, self._look_for_late)

    def _start_ahead(self, group: Group) -> None:
        flights = [] if self._stopping.is_set() else list(group.flights.values())
        called, uncalled = self._turns.claim(flights, time.monotonic())
        for flight in called:
            self._call(flight, partial(self._note_early, group))
        group.leave_out(uncalled)

    def _park(self, told: tuple[Group, Mapping[int, int], Collection[int]]) -> None:
        group, rows, answered = told
        left = group.park(rows, answered)
        self.room.leave([flight.where for flight in left.over + left.dropped])
        self._turns.end([flight.where for flight in left.over])
        for item in left.replied:
            self._replies.put(item)
        self._start(left.uncalled)

    def _look_for_late(self) -> None:
        self._will_look = False
        self._call_next()

    def _drop(self) -> None:
        """Leave the rows of those who wait to whoever hands back all that this process has."""
        self.room.leave([flight.where for flight in self._turns.drop()])

    def _call(self, flight: InFlight, note: Callable[[InFlight, Reply], None]) -> None:
        task = self._loop.create_task(self._perform(flight, note))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, flight: InFlight, note: Callable[[InFlight, Reply], None]) -> None:
        kind = type(flight.effect).__struct_config__.tag
        try:
            reply = await self._connectors[str(kind)].perform(flight.effect, flight.key)
        except asyncio.CancelledError:  # the process ends: it is left to others
            self.room.leave([flight.where])
            raise
        except Exception as problem:
            log.exception("connector %s failed", kind)
            reply = Reply(ok=False, error="invalid", message=f"Internal error: {problem!r}")
        note(flight, reply)

    def _note_reply(self, flight: InFlight, reply: Reply) -> None:
        self._replies.put((flight, reply))

    def _note_early(self, group: Group, flight: InFlight, reply: Reply) -> None:
        if not group.is_parked():
            group.keep(flight.number, reply)
        elif (parked := group.by_row(flight)) is not None:
            self._replies.put((parked, reply))
        else:
            self.room.leave([flight.where])
            self._end([flight.where])

    # --- the settling thread
    def _settle_all(self) -> None:
        while not (self._stopping.is_set() and not self.room.used()):
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
                self._settle(replies)
            if uncalled:
                self._give_back(uncalled)
                self._more.set()
        except Exception:
            close_old_connections()
            # The rows are still there, and leased: they will be made again.
            log.exception("%d replies could not be settled", len(batch))
        for flight, reply in replies:
            self.room.note(flight.where, reply.took_ms)
        self.room.leave([flight.where for flight, _ in batch])
        self._in_loop(self._end, [flight.where for flight, _ in replies])

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
        while len(batch) < min(BATCH, self.room.used()):
            try:
                left = deadline - time.monotonic()
                item = self._replies.get(timeout=left) if left > 0 else self._replies.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                batch.append(item)
        return batch

    def _take_more(self) -> None:
        places, busy = self.room.reserve()
        if places < _WORTH_A_LOOK:
            self.room.assign(places, [])
            return  # the next settled batch makes room
        self._more.clear()
        flights: list[InFlight] = []
        try:
            flights, again_at = self._take(places, busy)
            if again_at is not None:
                due = time.monotonic() + max(0.0, again_at - dbclock.now())
                self._again_at = min(self._again_at, due)
        except Exception:
            close_old_connections()
            log.exception("due effects could not be taken")
        self.room.assign(places, [flight.where for flight in flights])
        self.begin(flights)
        if busy or len(flights) == places:
            self._more.set()  # there may be others: look again after the next batch
