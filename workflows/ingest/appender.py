"""How do many requests share one commit? One thread takes all that has queued up meanwhile.

With no load nothing waits; under load the batches grow by themselves (group commit).
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Sequence

from django.db import close_old_connections

from workflows.storage import cursors
from workflows.storage import log as event_log
from workflows.storage.log import Incoming, Position
from workflows.tasks.nudge import Nudger

log = logging.getLogger(__name__)
_MOST_EVENTS = 2_000  # in one transaction
_MOST_REQUESTS = 256  # handed over at once
_READERS_SECONDS = 1.0

_Waiting = tuple[Sequence[Incoming], asyncio.AbstractEventLoop, "asyncio.Future[list[Position]]"]


class Appender:
    """One per process; its thread starts with it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[list[_Waiting]] = queue.SimpleQueue()
        self._arrived: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._nudger = Nudger()
        self._readers: dict[int, tuple[float, list[int]]] = {}
        threading.Thread(target=self._run, name="append", daemon=True).start()

    async def append(self, batch: Sequence[Incoming]) -> list[Position]:
        """Where each event lies. When this returns, all are on disk and their readers nudged."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Position]] = loop.create_future()
        arrived = self._arrived.get(loop)
        if arrived is None:
            arrived = self._arrived[loop] = []
            loop.call_soon(self._hand_over, loop, 0)
        arrived.append((batch, loop, future))
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Give the thread what has come in, once a turn of the loop brings nothing more: groups are
        whole, and while they grow the two don't fight for the interpreter."""
        arrived = self._arrived[loop]
        if before < len(arrived) < _MOST_REQUESTS:
            loop.call_soon(self._hand_over, loop, len(arrived))
        else:
            self._queue.put(self._arrived.pop(loop))

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
            self._answer(waiting, problem)
            return
        start = 0
        answers: list[list[Position]] = []
        for batch, _, _ in waiting:
            answers.append(places[start : start + len(batch)])
            start += len(batch)
        self._answer(waiting, answers)
        self._nudge({place.channel_id for place in places if not place.duplicate})

    def _answer(
        self, waiting: list[_Waiting], answers: list[list[Position]] | BaseException
    ) -> None:
        """Wake the requests: one call into each loop, however many wait there."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, object]]] = {}
        for i, one in enumerate(waiting):
            answer = answers if isinstance(answers, BaseException) else answers[i]
            by_loop.setdefault(one[1], []).append((one, answer))
        for loop, ready in by_loop.items():
            loop.call_soon_threadsafe(_resolve, ready)

    def _nudge(self, channel_ids: set[int]) -> None:
        try:
            self._nudge_readers(channel_ids)
        except Exception:
            log.exception("readers not nudged, the sweep will find the lag")

    def _nudge_readers(self, channel_ids: set[int]) -> None:
        now = time.monotonic()
        stale = [
            channel_id
            for channel_id in channel_ids
            if self._readers.get(channel_id, (0.0, []))[0] < now
        ]
        for channel_id, readers in cursors.readers_of(stale).items():
            self._readers[channel_id] = (now + _READERS_SECONDS, readers)
        for channel_id in channel_ids:
            self._nudger.nudge(self._readers[channel_id][1])


def _resolve(ready: list[tuple[_Waiting, object]]) -> None:
    for (_, _, future), answer in ready:
        if future.done():  # the client went away
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)  # type: ignore[arg-type]
