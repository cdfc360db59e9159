"""Who performs the effects that the workers have committed? One performer in each process.

A thread with an event loop makes the calls, at most `LIMIT` unsettled at a time; a second thread
settles the replies in batches, and takes further due effects whenever there is room. A process
that dies leaves rows whose leases run out: they are made again, under the same keys.
"""

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import uvloop
from django.db import close_old_connections, connections

from workflows.connectors.base import Connector
from workflows.engine.effects import Effect, Reply
from workflows.engine.event import Event
from workflows.engine.walk import Arrival
from workflows.storage import dbclock
from workflows.storage.parts import TraceRef
from workflows.storage.work import EFFECT_MARGIN_SECONDS

log = logging.getLogger(__name__)

LIMIT = 64  # unsettled effects a process
NODE_LIMIT = 40  # of them for one node, so that a slow destination leaves room for others
BATCH = 32  # replies settled in one transaction
LINGER_SECONDS = 0.01  # how long a reply may wait for others that are under way


class InFlight(msgspec.Struct, frozen=True):
    """An effect that this process has the lease of."""

    flow_id: int
    number: int
    version_id: int
    ref: TraceRef
    channel_id: int
    origin: Event  # the trace's own event, as it lies in the log
    lane: str | None  # in a flow that keeps order: the event's key
    arrival: Arrival  # root is meaningless here
    effect: Effect
    key: str
    attempt: int
    begun: float  # time.monotonic() before its lease was asked for
    since: float  # Unix seconds: when its first call was due
    has_slot: bool = False  # of a limited gate, to be given back
    is_probe: bool = False  # it tries a destination that is down
    known: Reply | None = None  # it was done before, and this was the answer

    @property
    def start_before(self) -> float:
        """Monotonic time; an effect started later may outlive its lease."""
        return self.begun + EFFECT_MARGIN_SECONDS * 0.8


Where = tuple[int, str]  # (flow, node)


class Room:
    """Counts unsettled effects, in all and by node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0
        self._by_node: dict[Where, int] = {}
        self._is_closed = False

    def close(self) -> None:
        """Nobody gets a place any more; those that are taken stay until they are given back."""
        with self._lock:
            self._is_closed = True

    def admit(self, wanted: Sequence[Where | None]) -> list[bool]:
        """Take a place for each that still gets one, in order; None wants none."""
        with self._lock:
            return [where is not None and self._take(where) for where in wanted]

    def _take(self, where: Where) -> bool:
        if self._is_closed or self._used >= LIMIT or self._by_node.get(where, 0) >= NODE_LIMIT:
            return False
        self._used += 1
        self._by_node[where] = self._by_node.get(where, 0) + 1
        return True

    def leave(self, places: Sequence[Where]) -> None:
        """Give places back."""
        with self._lock:
            for where in places:
                self._used -= 1
                left = self._by_node[where] - 1
                if left:
                    self._by_node[where] = left
                else:
                    del self._by_node[where]

    def reserve(self) -> tuple[int, list[Where]]:
        """Take places for effects yet unknown: how many, and which nodes have had their share.
        `assign` tells later whose they became."""
        with self._lock:
            busy = [where for where, n in self._by_node.items() if n >= NODE_LIMIT]
            open_nodes = [n for n in self._by_node.values() if n < NODE_LIMIT]
            places = min(LIMIT - self._used, NODE_LIMIT - max(open_nodes, default=0))
            places = 0 if self._is_closed else places
            self._used += places
            return places, busy

    def assign(self, places: int, wanted: Sequence[Where]) -> None:
        """Turn reserved places into those of `wanted`; the rest are given back."""
        with self._lock:
            self._used -= places - len(wanted)
            for where in wanted:
                self._by_node[where] = self._by_node.get(where, 0) + 1

    def used(self) -> int:
        with self._lock:
            return self._used


Settle = Callable[[list[tuple[InFlight, Reply]]], None]
Take = Callable[[int, list[Where]], tuple[list[InFlight], float | None]]


class Performer:
    """Starts its two threads on construction; `stop` ends them."""

    def __init__(self, connectors: Mapping[str, Connector], settle: Settle, take: Take) -> None:
        self.room = Room()
        self._connectors = connectors
        self._settle, self._take = settle, take
        self._replies: queue.SimpleQueue[tuple[InFlight, Reply] | None] = queue.SimpleQueue()
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
            self._loop.call_soon_threadsafe(self._start, list(flights))

    def look(self) -> None:
        """There may be due effects in the database: take some when there is room."""
        self._more.set()
        self._replies.put(None)

    def stop(self, seconds: float) -> None:
        """Take nothing new, wait for what is in flight (at most so long), end the threads."""
        self._stopping.set()
        self.room.close()
        deadline = time.monotonic() + seconds
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
        for flight in flights:
            task = self._loop.create_task(self._perform(flight))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(self, flight: InFlight) -> None:
        if time.monotonic() > flight.start_before:
            # Too late to be sure of the lease. The row comes due by itself.
            self.room.leave([(flight.flow_id, flight.arrival.node)])
            return
        if flight.known is not None:
            self._replies.put((flight, flight.known))
            return
        kind = type(flight.effect).__struct_config__.tag
        try:
            reply = await self._connectors[str(kind)].perform(flight.effect, flight.key)
        except asyncio.CancelledError:  # the process ends: it is left to others
            self.room.leave([(flight.flow_id, flight.arrival.node)])
            raise
        except Exception as problem:
            log.exception("connector %s failed", kind)
            reply = Reply(ok=False, error="invalid", message=f"Internal error: {problem!r}")
        self._replies.put((flight, reply))

    # --- the settling thread
    def _settle_all(self) -> None:
        while not (self._stopping.is_set() and not self.room.used()):
            batch = self._collect()
            if batch:
                try:
                    self._settle(batch)
                except Exception:
                    close_old_connections()
                    # The rows are still there, and leased: they will be made again.
                    log.exception("%d replies could not be settled", len(batch))
                self.room.leave([(flight.flow_id, flight.arrival.node) for flight, _ in batch])
            if self._more.is_set() and not self._stopping.is_set():
                self._take_more()
        connections.close_all()  # this thread's own

    def _collect(self) -> list[tuple[InFlight, Reply]]:
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
        if places < BATCH // 2:
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
        self.room.assign(places, [(flight.flow_id, flight.arrival.node) for flight in flights])
        self.begin(flights)
        if busy or len(flights) == places:
            self._more.set()  # there may be others: look again after the next batch
