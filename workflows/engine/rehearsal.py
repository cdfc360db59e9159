"""How does a plan run over simulated time, without the world?

State lies in a dictionary, effects get prepared answers at once, and what is held goes on when the
simulated clock has reached its moment.
"""

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from workflows.engine.effects import Effect, Reply
from workflows.engine.event import JSON
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.walk import Arrival, Settlement, Walk

NOW = 1_700_000_000.0  # the moment at which tried events are accepted, unless they say otherwise
_MOST_ROUNDS = 10_000  # a flow may hold an event round and round
_MOST_TRIED = 100


class FakeSurroundings:
    """State in a dictionary, as JSON and with expiry, and a clock that is set by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self._stored: dict[tuple[str, str], tuple[bytes, float | None]] = {}

    def load_state(self, node_id: str, keys: Sequence[str]) -> dict[str, JSON]:
        """What `commit` has stored, unless it was deleted or has expired."""
        found = {}
        for key in keys:
            stored = self._stored.get((node_id, key))
            if stored is not None and (stored[1] is None or stored[1] > self.now):
                found[key] = msgspec.json.decode(stored[0])
        return found

    def commit(self, walk: Walk) -> None:
        """Keep a walk's state."""
        for key, (value, expires) in walk.state.items():
            if value is None:
                self._stored.pop(key, None)
            else:
                self._stored[key] = (msgspec.json.encode(value), expires)

    def count_state(self) -> int:
        """How many values are stored that haven't expired."""
        return sum(1 for _, end in self._stored.values() if end is None or end > self.now)


class Timeline:
    """One plan and its simulated clock. `walks` and `replies` (with what they answer) grow."""

    def __init__(
        self, plan: Plan, replies: Mapping[str, Sequence[Reply]] | None = None, now: float = 0.0
    ) -> None:
        self.plan = plan
        self.surroundings = FakeSurroundings(now)
        self.walks: list[Walk] = []
        self.replies: list[tuple[Settlement, Reply]] = []
        self._answers = {node_id: iter(given) for node_id, given in (replies or {}).items()}
        self._held: list[tuple[float, int, Arrival]] = []  # a heap
        self._rounds, self._order = 0, itertools.count()

    def feed(self, *arrivals: Arrival) -> None:
        """Let one batch arrive, at the moment when its last event was accepted; or now, if that
        is later: then the flow is behind."""
        self.advance(max(arrival.event.accepted_at for arrival in arrivals))
        self._follow(run(self.plan, self.surroundings, arrivals=arrivals))

    def advance(self, moment: float) -> None:
        """Move the clock on to `moment`, and let go what is due until then, in order."""
        while self._held and self._held[0][0] <= moment and self._rounds < _MOST_ROUNDS:
            due, _, arrival = heapq.heappop(self._held)
            self.surroundings.now = max(self.surroundings.now, due)
            self._follow(run(self.plan, self.surroundings, released=[(arrival, due)]))
        self.surroundings.now = max(self.surroundings.now, moment)

    def finish(self, most: int = _MOST_ROUNDS) -> None:
        """Let go all that is held, however late, but at most so many walks in all."""
        while self._held and self._rounds < min(most, _MOST_ROUNDS):
            self.advance(self._held[0][0])

    def _follow(self, walk: Walk) -> None:
        """Commit a walk and answer what it asks. Retries don't wait."""
        while True:
            self._rounds += 1
            self.surroundings.commit(walk)
            self.walks.append(walk)
            for held in walk.held:
                heapq.heappush(self._held, (held.due, next(self._order), held.arrival))
            asked = [(ask.arrival, ask.effect, 1) for ask in walk.asks]
            asked += [
                (r.settlement.arrival, r.settlement.effect, r.settlement.attempt + 1)
                for r in walk.retries
            ]
            if not asked or self._rounds >= _MOST_ROUNDS:
                return
            settled = [_answer(*one, self._answers) for one in asked]
            self.replies.extend((one, one.reply) for one in settled)
            walk = run(self.plan, self.surroundings, settlements=settled)


def _answer(
    arrival: Arrival, effect: Effect, attempt: int, answers: Mapping[str, Iterator[Reply]]
) -> Settlement:
    reply = next(answers.get(arrival.node, iter(())), Reply(ok=True, status=200))
    return Settlement(arrival, effect, reply, attempt)


def rehearse(
    plan: Plan, arrivals: Sequence[Arrival], replies: Mapping[str, Sequence[Reply]]
) -> Timeline:
    """Run until nothing is left to do, each arrival by itself at the moment of its event. Effects
    get the node's `replies` in turn, then 200 with an empty body."""
    done = Timeline(plan, replies)
    for arrival in arrivals:
        done.feed(arrival)
    done.finish(_MOST_TRIED)
    return done
