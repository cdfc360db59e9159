"""Which of the effects that a walk asks for does this process make, and when? Right after the
commit that parks them; or before it, so that nothing needs to be parked (ADR 23)."""

from collections.abc import Sequence

from workflows.engine.effects import Reply, destination
from workflows.engine.plan import Plan
from workflows.engine.resume import resume
from workflows.engine.walk import Ask, Walk
from workflows.storage import cursors, dbclock, runs
from workflows.tasks.ahead import Group
from workflows.tasks.context import Surroundings
from workflows.tasks.gating import free_to_go
from workflows.tasks.inhand import InFlight, Where
from workflows.tasks.process import breakers, performer
from workflows.traces.recorder import Root

PATIENCE_SECONDS = 0.1  # for the answers to what is called before the commit


class Calls:
    """The effects that a walk asks for. Those which this process admits have a place in its hand,
    until `begin` or `give_back`: one of them must be called.

    `walk` is what is to be committed, `admitted` tells for each of its asks whether this process
    performs it, and `replies` what was answered already, by root and path of who asked.
    """

    def __init__(
        self, flow_id: int, version_id: int, plan: Plan, roots: Sequence[Root], walk: Walk
    ) -> None:
        self._flow_id, self._version_id, self._plan = flow_id, version_id, plan
        self._roots = roots
        self.walk = walk
        self.admitted = self._admit(walk.asks)
        self.replies: dict[tuple[int, int], Reply] = {}
        self._group: Group | None = None
        self._answered: dict[int, Reply] = {}  # by place in the group
        self._places: list[int] = []  # in the first walk, of its asks that are left

    def _admit(self, asks: Sequence[Ask]) -> list[bool]:
        """For each effect, whether this process performs it right away. Where order is kept, none:
        whose turn it is only the commit finds out. Those of a replay wait for their turn behind
        live ones. What a limit or a breaker may hold back is left to `due.take`, too."""
        if not asks or self._plan.ordered or runs.together(self._roots[0].ref.run):
            return [False] * len(asks)
        known = breakers()
        return performer().room.admit(
            [
                (self._flow_id, ask.arrival.node)
                if free_to_go(self._flow_id, self._plan, ask, known)
                else None
                for ask in asks
            ]
        )

    def act(self, begun: float) -> None:
        """Make them now and walk on with what is answered soon. `begun` (monotonic): before the
        lease was looked at under which this happens."""
        asks, admitted = self.walk.asks, self.admitted
        if not any(admitted):
            return
        since = dbclock.now()
        calls = {i: self._flight(asks[i], i, begun, since) for i in range(len(asks)) if admitted[i]}
        self._places = list(range(len(asks)))
        self._group = performer().call_ahead(calls)
        replies = self._group.wait(PATIENCE_SECONDS)
        for flight in self._group.unanswered():
            performer().room.note(flight.where, PATIENCE_SECONDS * 1_000)  # at least
        surroundings = Surroundings(self._flow_id)
        self.walk, answered = resume(self._plan, surroundings, self.walk, replies, since)
        self._answered = {i: replies[i] for i in answered}
        self._places = [i for i in range(len(asks)) if i not in answered]
        new = self.walk.asks[len(self._places) :]
        self.admitted = [admitted[i] for i in self._places] + self._admit(new)
        self.replies = {(asks[i].arrival.root, asks[i].arrival.path): replies[i] for i in answered}

    def give_back(self) -> None:
        """Free the places of effects that weren't committed after all."""
        asks = self.walk.asks
        if self._group is not None:
            performer().park(self._group, {}, frozenset())
        performer().room.leave(
            [
                (self._flow_id, asks[i].arrival.node)
                for i in range(len(self._places), len(asks))
                if self.admitted[i]
            ]
        )

    def begin(self, first: int, begun: float) -> int:
        """Start the admitted effects, whose rows begin at number `first`; the next free number.
        What wasn't admitted is left for the performer to take."""
        asks = self.walk.asks
        if not asks and self._group is None:
            return first
        if self._group is not None:
            left = {place: first + i for i, place in enumerate(self._places)}
            performer().park(self._group, left, frozenset(self._answered))
            self._note_answers()
        now = dbclock.now()
        performer().begin(
            [
                self._flight(asks[i], first + i, begun, now)
                for i in range(len(self._places), len(asks))
                if self.admitted[i]
            ]
        )
        if not all(self.admitted):
            performer().look()
        return first + len(asks)

    def _note_answers(self) -> None:
        assert self._group is not None
        workspace_id = cursors.workspace_of(self._flow_id)
        took: dict[Where, float] = {}
        for place, reply in self._answered.items():
            flight = self._group.flights[place]
            breakers().note(workspace_id, destination(flight.effect), reply, False)
            took[flight.where] = min(reply.took_ms, took.get(flight.where, reply.took_ms))
        for where, shortest in took.items():  # the others may have waited for this process
            performer().room.note(where, shortest)

    def _flight(self, ask: Ask, number: int, begun: float, now: float) -> InFlight:
        root = self._roots[ask.arrival.root]
        return InFlight(
            flow_id=self._flow_id,
            number=number,
            version_id=self._version_id,
            ref=root.ref,
            channel_id=root.channel_id,
            origin=root.event,
            lane=None,
            since=now,
            arrival=ask.arrival,
            effect=ask.effect,
            key=ask.key,
            attempt=1,
            begun=begun,
        )
