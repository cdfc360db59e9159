"""Which effects does a worker process have in hand, and which of them may be called now?

In hand is what it has the lease of: more than it may call at once, so that the next calls needn't
be looked for while the last ones are settled. Called and not yet settled are at most `LIMIT`: these
are what a death of the process repeats.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence

import msgspec

from workflows.engine.effects import Effect, Reply
from workflows.engine.event import Event
from workflows.engine.walk import Arrival
from workflows.storage.parts import TraceRef
from workflows.storage.work import EFFECT_MARGIN_SECONDS

LIMIT = 64  # called and unsettled effects of a process
NODE_LIMIT = 40  # of them for one node, so that a slow destination leaves room for others
AHEAD_LIMIT = 56  # of them for one node before a commit, for a moment only: it answers quickly
HAND = 256  # effects that a process has the lease of
NODE_HAND = 192  # of them for one node, if it answers quickly: else other workers are sooner
_QUICK_MS = 50.0
_MOST_NODES = 10_000  # whose speed is remembered

Where = tuple[int, str]  # (flow, node)


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

    @property
    def where(self) -> Where:
        return self.flow_id, self.arrival.node


class Room:
    """Counts the effects in hand, in all and by node. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0
        self._by_node: Counter[Where] = Counter()
        self._took_ms: dict[Where, float] = {}  # the last call of each node
        self._is_closed = False

    def close(self) -> None:
        """Nobody gets a place any more; those that are taken stay until they are given back."""
        with self._lock:
            self._is_closed = True

    def note(self, where: Where, took_ms: float) -> None:
        """Remember how long a call took."""
        with self._lock:
            if len(self._took_ms) >= _MOST_NODES:
                self._took_ms.clear()
            self._took_ms[where] = took_ms

    def ahead(self, flow_id: int) -> int:
        """How many more calls each node of this flow may make before a commit; -1 if one of them
        has let somebody wait lately."""
        with self._lock:
            took = [ms for (flow, _), ms in self._took_ms.items() if flow == flow_id]
            used = [n for (flow, _), n in self._by_node.items() if flow == flow_id]
        if max(took, default=0.0) >= _QUICK_MS:
            return -1
        return max(0, AHEAD_LIMIT - max(used, default=0))

    def admit(self, wanted: Sequence[Where | None]) -> list[bool]:
        """Take a place for each that still gets one, in order; None wants none."""
        with self._lock:
            return [where is not None and self._take(where) for where in wanted]

    def _take(self, where: Where) -> bool:
        if self._took_ms.get(where, _QUICK_MS) < _QUICK_MS:
            is_full = self._used >= HAND or self._by_node[where] >= NODE_HAND
        else:
            is_full = self._used >= LIMIT or self._by_node[where] >= NODE_LIMIT
        if is_full or self._is_closed:
            return False
        self._used += 1
        self._by_node[where] += 1
        return True

    def leave(self, places: Sequence[Where]) -> None:
        """Give places back."""
        with self._lock:
            self._used -= len(places)
            self._by_node.subtract(places)
            for where in places:
                if not self._by_node[where]:
                    del self._by_node[where]

    def reserve(self) -> tuple[int, list[Where]]:
        """Take places for effects yet unknown, as many as could be called at once: how many, and
        which nodes have had their share. `assign` tells whose they became, before the next one."""
        with self._lock:
            busy = [where for where, n in self._by_node.items() if n >= NODE_LIMIT]
            open_nodes = [n for n in self._by_node.values() if n < NODE_LIMIT]
            called = NODE_LIMIT * len(busy) + sum(open_nodes)  # at most: the others wait
            places = min(LIMIT - called, NODE_LIMIT - max(open_nodes, default=0))
            places = 0 if self._is_closed else max(0, places)
            self._used += places
            return places, busy

    def assign(self, places: int, wanted: Sequence[Where]) -> None:
        """Turn reserved places into those of `wanted`; the rest are given back."""
        with self._lock:
            self._used -= places - len(wanted)
            self._by_node.update(wanted)

    def used(self) -> int:
        with self._lock:
            return self._used


class Turns:
    """Whose turn it is to be called: first come, first served for each node, and one node after
    the other. For one thread."""

    def __init__(self) -> None:
        self._waiting: dict[Where, deque[InFlight]] = {}
        self._called: Counter[Where] = Counter()

    def add(self, flights: Sequence[InFlight]) -> None:
        """Let these wait for their turn."""
        for flight in flights:
            self._waiting.setdefault(flight.where, deque()).append(flight)

    def next(self, now: float) -> tuple[list[InFlight], list[InFlight]]:
        """Those that may be called at this (monotonic) moment, which count as called until `end`;
        and those that have waited too long. Neither waits any more."""
        late = [flight for where in list(self._waiting) for flight in self._take_late(where, now)]
        due: list[InFlight] = []
        room = LIMIT - self._called.total()
        while room > len(due):
            before = len(due)
            for where in list(self._waiting):
                if self._called[where] < NODE_LIMIT and len(due) < room:
                    due.append(self._waiting[where].popleft())
                    self._called[where] += 1
                    self._forget_if_empty(where)
            if len(due) == before:
                break
        return due, late

    def claim(
        self, flights: Sequence[InFlight], now: float
    ) -> tuple[list[InFlight], list[InFlight]]:
        """Those of these that may be called at this (monotonic) moment, which count as called until
        `end`; and the others. None of them comes to wait."""
        called, others = [], []
        for flight in flights:
            where = flight.where
            is_full = self._called.total() >= LIMIT or self._called[where] >= AHEAD_LIMIT
            if is_full or now > flight.start_before:
                others.append(flight)
            else:
                self._called[where] += 1
                called.append(flight)
        return called, others

    def _take_late(self, where: Where, now: float) -> list[InFlight]:
        queue = self._waiting[where]
        late = []
        while queue and now > queue[0].start_before:
            late.append(queue.popleft())
        self._forget_if_empty(where)
        return late

    def _forget_if_empty(self, where: Where) -> None:
        if not self._waiting[where]:
            del self._waiting[where]

    @property
    def is_waiting(self) -> bool:
        """Whether anybody waits for a turn."""
        return bool(self._waiting)

    def end(self, settled: Sequence[Where]) -> None:
        """These are no longer called: their outcome is in the database."""
        self._called.subtract(settled)

    def drop(self) -> list[InFlight]:
        """Let nobody wait any more; those who did."""
        waiting = [flight for queue in self._waiting.values() for flight in queue]
        self._waiting.clear()
        return waiting
