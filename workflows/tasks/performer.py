"""Who performs the effects that the workers have committed? One performer in each process.

A thread with an event loop makes the calls, at most `inhand.LIMIT` unsettled at a time; what comes
back is for a second one (`settler.py`). A process that dies leaves rows whose leases run out: they
are made again, under the same keys.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

import uvloop

from workflows.connectors.base import Connector, Start, TooLate, start
from workflows.engine.effects import Reply
from workflows.tasks.ahead import Group
from workflows.tasks.inhand import InFlight, Room, Turns, Where
from workflows.tasks.settler import Ledger, Settler

log = logging.getLogger(__name__)

_LATE_LOOK_SECONDS = 0.5
_T = TypeVar("_T")


class Performer:
    """Starts its two threads on construction; `stop` ends them."""

    def __init__(self, connectors: Mapping[str, Connector], ledger: Ledger) -> None:
        self.room = Room()
        self._connectors = connectors
        self._turns = Turns()
        self._will_look = False  # for those who have waited too long
        self._stopping = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = uvloop.new_event_loop()
        self._settler = Settler(self.room, ledger, self.begin, partial(self._in_loop, self._end))
        ready = threading.Event()
        self._acting = threading.Thread(target=self._act, args=(ready,), name="act", daemon=True)
        self._acting.start()
        ready.wait()
        self._settler.start()

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
        self._settler.look()

    def stop(self, seconds: float) -> None:
        """Take nothing new, wait for what is in flight (at most so long), end the threads."""
        self._stopping.set()
        self._settler.stop()
        self.room.close()
        deadline = time.monotonic() + seconds
        self._loop.call_soon_threadsafe(self._drop)
        while self.room.used() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in (self._acting, self._settler):
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
            self._settler.note(flight, None)
        for flight in due:
            if flight.known is not None:
                self._settler.note(flight, flight.known)
            else:
                self._call(flight, self._note)
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
        for flight, reply in left.replied:
            self._settler.note(flight, reply)
        self._start(left.uncalled)

    def _look_for_late(self) -> None:
        self._will_look = False
        self._call_next()

    def _drop(self) -> None:
        """Leave the rows of those who wait to whoever hands back all that this process has."""
        self.room.leave([flight.where for flight in self._turns.drop()])

    def _call(self, flight: InFlight, note: Callable[[InFlight, Reply | None], None]) -> None:
        task = self._loop.create_task(self._perform(flight, note))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(
        self, flight: InFlight, note: Callable[[InFlight, Reply | None], None]
    ) -> None:
        """Tell `note` the reply; None if it was too late to call."""
        kind = type(flight.effect).__struct_config__.tag
        start.set(Start(flight.start_before))  # in this task
        reply: Reply | None
        try:
            if time.monotonic() > flight.start_before:
                raise TooLate
            reply = await self._connectors[str(kind)].perform(flight.effect, flight.key)
        except asyncio.CancelledError:  # the process ends: it is left to others
            self.room.leave([flight.where])
            raise
        except TooLate:
            reply = None
        except Exception as problem:
            log.exception("connector %s failed", kind)
            reply = Reply(ok=False, error="invalid", message=f"Internal error: {problem!r}")
        note(flight, reply)

    def _note(self, flight: InFlight, reply: Reply | None) -> None:
        if reply is None:
            self._turns.end([flight.where])
        self._settler.note(flight, reply)

    def _note_early(self, group: Group, flight: InFlight, reply: Reply | None) -> None:
        if not group.is_parked():
            if reply is None:
                self._turns.end([flight.where])
                group.leave_out([flight])
            else:
                group.keep(flight.number, reply)
        elif (parked := group.by_row(flight)) is not None:
            self._note(parked, reply)
        else:
            self.room.leave([flight.where])
            self._end([flight.where])
