"""How are events played in a shadow run, one batch of them? Nothing is written here.

The engine is the real one; what surrounds it isn't. The memory is the replay's own and begins
empty, the clock is simulated from the events' accept times, holds go on when it reaches their
moment, and effects are answered with what the world answered when the event ran live.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import orjson

from workflows.engine.effects import Effect
from workflows.engine.event import JSON
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.walk import Arrival, Dead, Held, Settlement, Step, Walk
from workflows.storage import shadows
from workflows.storage.recorded import Recorded
from workflows.storage.shadows import Hold, Live
from workflows.tasks import standins
from workflows.tasks.context import event_of
from workflows.traces.recorder import Root

MOST_ROUNDS = 2_000  # walks of one batch: a flow may hold an event round and round
MOST_IN_A_ROW = 200  # walks of one arrival: a call may be tried again and again
Place = tuple[int, str, int]  # root, node, path


class Memory:
    """The surroundings of a shadow run: a memory of its own, and a simulated clock."""

    def __init__(self, replay_id: int, now: float) -> None:
        self._replay_id = replay_id
        self.now = now
        self.changes: dict[tuple[str, str], tuple[JSON, float | None]] = {}

    def load_state(self, node_id: str, keys: Sequence[str]) -> dict[str, JSON]:
        found = shadows.state(self._replay_id, node_id, list(dict.fromkeys(keys)), self.now)
        for key in keys:
            if (node_id, key) in self.changes:
                value, expires_at = self.changes[node_id, key]
                found.pop(key, None)
                if value is not None and (expires_at is None or expires_at > self.now):
                    found[key] = value
        return found


class Stage:
    """One batch: `roots` in the order in which they come, those of earlier batches behind them.

    What it leaves: `steps` and `dead` by root, `released` stored holds, `closed` (how many of them
    by root), `waiting` new holds, `memory.changes`, which roots got an `assumed` answer, and the
    arrivals that are `unended`: their calls would be tried again without end.
    """

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        roots: Sequence[Root],
        lives: Mapping[tuple[int, int], Live],
    ) -> None:
        self.plan, self.memory, self.roots = plan, memory, roots
        self._lives = lives
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Arrival, int]] = []
        self._rounds = 0
        self.steps: list[Step] = []
        self.dead: list[Dead] = []
        self.released: list[int] = []
        self.closed: Counter[int] = Counter()
        self.assumed: set[int] = set()
        self.unended: list[Arrival] = []

    def put(self, hold: Hold, root: int) -> None:
        """Take over a hold that an earlier batch has stored."""
        event = event_of(hold.event, hold.accepted_at)
        arrival = Arrival(root, hold.node, event, hold.path, fresh=False)
        heapq.heappush(self._heap, (hold.due_at, next(self._order), arrival, hold.id))

    def enter(self, node: str, root: int) -> None:
        """Let the event of this root come, at the moment when it was accepted."""
        event = self.roots[root].event
        self.advance(event.accepted_at)
        self._follow(run(self.plan, self.memory, arrivals=[Arrival(root, node, event)]))

    def advance(self, moment: float) -> None:
        """Move the clock, and let go what is due until then."""
        while self._heap and self._heap[0][0] <= moment and self._rounds < MOST_ROUNDS:
            self.memory.now = max(self.memory.now, self._heap[0][0])
            self._release()
        self.memory.now = max(self.memory.now, moment)

    def run_out(self) -> None:
        """Let go all that is held, however late."""
        while self._heap and self._rounds < MOST_ROUNDS:
            self.advance(self._heap[0][0])

    @property
    def waiting(self) -> list[tuple[int, Hold]]:
        """The holds that aren't stored yet, each with its root."""
        return [
            (arrival.root, _hold(due, arrival, self.roots[arrival.root]))
            for due, _, arrival, stored in sorted(self._heap, key=lambda one: one[:2])
            if not stored
        ]

    @property
    def is_empty(self) -> bool:
        return not self._heap

    def walk_of(self, low: int, high: int) -> Walk:
        """What the roots low ≤ root < high left, these being counted from 0."""
        held = [
            Held(Arrival(root - low, hold.node, self.roots[root].event), hold.due_at, "")
            for root, hold in self.waiting
            if low <= root < high
        ]
        held += [
            Held(msgspec.structs.replace(one, root=one.root - low), self.memory.now, "")
            for one in self.unended
            if low <= one.root < high
        ]
        return Walk(
            steps=[_moved(one, low) for one in self.steps if low <= one.root < high],
            dead=[_dead(one, low) for one in self.dead if low <= one.arrival.root < high],
            held=held,
        )

    def _release(self) -> None:
        due, _, arrival, stored = heapq.heappop(self._heap)
        if stored:
            self.released.append(stored)
            self.closed[arrival.root] += 1
        self._follow(run(self.plan, self.memory, released=[(arrival, due)]))

    def _follow(self, walk: Walk) -> None:
        """Keep what a walk left, answer what it asks, and walk on. Retries don't wait."""
        for _ in range(MOST_IN_A_ROW):
            self._rounds += 1
            asked = [(ask.arrival, ask.effect, 1) for ask in walk.asks]
            asked += [
                (one.settlement.arrival, one.settlement.effect, one.settlement.attempt + 1)
                for one in walk.retries
            ]
            told: dict[Place, tuple[Effect, Recorded | None]] = {
                _place(ask.arrival): (ask.effect, None) for ask in walk.inside
            }
            settlements: list[Settlement] = []
            for arrival, effect, attempt in asked:
                known = self._answer(arrival)
                told[_place(arrival)] = (effect, known)
                settlements.append(standins.settled(arrival, effect, attempt, known, self.plan))
            self._keep(walk, told)
            if not settlements:
                return
            walk = run(self.plan, self.memory, settlements=settlements)
        self._keep(walk, {})
        self.unended += [ask.arrival for ask in walk.asks]
        self.unended += [one.settlement.arrival for one in walk.retries]

    def _answer(self, arrival: Arrival) -> Recorded | None:
        live = self._lives.get(self.roots[arrival.root].ref[1:3])
        known = standins.answer(live.replies if live else (), self.plan, arrival)
        if known is None:
            self.assumed.add(arrival.root)
        return known

    def _keep(self, walk: Walk, told: Mapping[Place, tuple[Effect, Recorded | None]]) -> None:
        for step in walk.steps:
            what = told.get((step.root, step.node, step.path))
            tells = what is not None and step.outcome in ("waiting", "delivered")
            self.steps.append(standins.told(step, *what) if tells and what else step)
        self.dead += walk.dead
        self.memory.changes.update(walk.state)
        for held in walk.held:
            heapq.heappush(self._heap, (held.due, next(self._order), held.arrival, 0))


def _place(arrival: Arrival) -> Place:
    return arrival.root, arrival.node, arrival.path


def _hold(due: float, arrival: Arrival, root: Root) -> Hold:
    event = arrival.event
    stored = orjson.dumps(event.as_dict())
    place = root.ref.partition, root.ref.offset
    return Hold(due, 0, arrival.node, *place, arrival.path, stored, event.accepted_at)


def _moved(step: Step, low: int) -> Step:
    return step if not low else msgspec.structs.replace(step, root=step.root - low)


def _dead(dead: Dead, low: int) -> Dead:
    arrival = msgspec.structs.replace(dead.arrival, root=dead.arrival.root - low)
    return msgspec.structs.replace(dead, arrival=arrival)
