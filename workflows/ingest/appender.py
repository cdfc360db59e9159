"""How do many requests share one commit? All that has come in meanwhile goes into the next one.

With no load nothing waits; under load the groups grow by themselves (group commit). A small group
is committed in the event loop's own thread while that takes no longer than handing it over: nobody
else writes, or not for long, and the disk is quick. All else is done by a thread.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from django.db import close_old_connections

from workflows.storage import log as event_log
from workflows.storage.log import Incoming, Position
from workflows.tasks.nudger import Nudger

logger = logging.getLogger(__name__)
_MOST_EVENTS = 2_000  # in one transaction
_MOST_REQUESTS = 256  # handed over at once
_MOST_IN_LOOP = 128  # events: some 3 ms
_SLOW_SECONDS = 0.02  # a commit that takes longer is the thread's affair, as is one that fails
_REST_SECONDS = 5.0  # and all that follow for so long

Outcome = list[Position] | BaseException
Told = Callable[[Outcome], None]
_Waiting = tuple[Sequence[Incoming], asyncio.AbstractEventLoop, Told]


class Appender:
    """One per process; its thread starts with it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[list[_Waiting]] = queue.SimpleQueue()
        self._arrived: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._nudger = Nudger()
        self._slow_until = 0.0  # monotonic
        threading.Thread(target=self._run, name="append", daemon=True).start()

    async def append(self, batch: Sequence[Incoming]) -> list[Position]:
        """Where each event lies. When this returns, all are on disk."""
        future: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        self.submit(batch, partial(_settle, future))
        return await future

    def submit(self, batch: Sequence[Incoming], tell: Told) -> None:
        """Have it stored. The running loop calls `tell`, which doesn't raise, with where each event
        lies, all of them on disk, or with what went wrong."""
        loop = asyncio.get_running_loop()
        arrived = self._arrived.get(loop)
        if arrived is None:
            arrived = self._arrived[loop] = []
            loop.call_soon(self._hand_over, loop, 0)
        arrived.append((batch, loop, tell))

    def _hand_over(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Commit what has come in once a turn of the loop brings nothing more, so that groups are
        whole."""
        arrived = self._arrived[loop]
        if before < len(arrived) < _MOST_REQUESTS:
            loop.call_soon(self._hand_over, loop, len(arrived))
            return
        waiting = self._arrived.pop(loop)
        if not self._commit_in_loop(waiting):
            self._queue.put(waiting)

    def _commit_in_loop(self, waiting: list[_Waiting]) -> bool:
        """Whether it has been done."""
        begun = time.monotonic()
        if begun < self._slow_until or sum(len(one[0]) for one in waiting) > _MOST_IN_LOOP:
            return False
        batch = [item for one in waiting for item in one[0]]
        try:
            places = event_log.append_at_once(batch, time.time())
        except Exception:  # raised here, it would reach nobody who waits for an answer
            logger.exception("events not stored by the loop, the thread tries")
            self._leave_to_the_thread()
            return False
        if time.monotonic() > begun + _SLOW_SECONDS:
            self._leave_to_the_thread()
        if places is None:
            return False
        _tell_each(zip(waiting, _shared_out(waiting, places), strict=True))
        self._nudge(places)
        return True

    def _leave_to_the_thread(self) -> None:
        self._slow_until = time.monotonic() + _REST_SECONDS

    def _run(self) -> None:
        while True:
            waiting = self._queue.get()
            while sum(len(batch) for batch, _, _ in waiting) < _MOST_EVENTS:
                try:
                    waiting += self._queue.get_nowait()
                except queue.Empty:
                    break
            self._commit(waiting)

    def _commit(self, waiting: list[_Waiting]) -> None:
        items = [item for batch, _, _ in waiting for item in batch]
        try:
            places = event_log.append(items, time.time())
        except BaseException as problem:
            close_old_connections()
            if len(waiting) > 1:  # one bad batch must not fail its neighbours
                for one in waiting:
                    self._commit([one])
                return
            _, loop, tell = waiting[0]
            loop.call_soon_threadsafe(tell, problem)
            return
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, list[Position]]]] = {}
        for one, own in zip(waiting, _shared_out(waiting, places), strict=True):
            by_loop.setdefault(one[1], []).append((one, own))
        for loop, told in by_loop.items():  # one call into each, however many wait there
            loop.call_soon_threadsafe(_tell_each, told)
        self._nudge(places)

    def _nudge(self, places: list[Position]) -> None:
        self._nudger.nudge_readers({one.channel_id for one in places if not one.duplicate})


def _shared_out(waiting: list[_Waiting], places: list[Position]) -> Iterator[list[Position]]:
    start = 0
    for batch, _, _ in waiting:
        yield places[start : start + len(batch)]
        start += len(batch)


def _tell_each(told: Iterable[tuple[_Waiting, list[Position]]]) -> None:
    for (_, _, tell), places in told:
        tell(places)


def _settle(future: asyncio.Future[list[Position]], outcome: Outcome) -> None:
    if future.done():  # the client may have gone away
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
