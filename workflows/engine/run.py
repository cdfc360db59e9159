"""What happens to a batch of events in a plan?

Node by node in the plan's order, the whole batch at each; nothing is done, only said: the Walk that
comes out is what the caller commits. Every arrival ends in exactly one step.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from time import perf_counter_ns

from workflows.engine.causes import note_causes
from workflows.engine.context import NodeContext, Surroundings, Views
from workflows.engine.event import Event
from workflows.engine.judge import judge, show_output, with_error
from workflows.engine.node import Context, Failed, Result
from workflows.engine.notes import Call, lose, note_requests, note_step
from workflows.engine.outcome import Said, listen
from workflows.engine.plan import Plan, PlannedNode
from workflows.engine.retry import decide
from workflows.engine.sizes import Sizes
from workflows.engine.walk import Arrival, Dead, Retry, Settlement, Walk
from workflows.engine.ways import counted, lead_on, moved

MOST_ARRIVALS = 10_000  # of one root in one run
_LONGEST_MESSAGE = 1_000


def run(
    plan: Plan,
    surroundings: Surroundings,
    *,
    arrivals: Sequence[Arrival] = (),
    settlements: Sequence[Settlement] = (),
    released: Sequence[tuple[Arrival, float]] = (),
    bounded: bool = False,
) -> Walk:
    """All that these events, replies and due holds lead to. Never raises for what is in them,
    but `Overfull` where it is `bounded` and they become too much together.

    The same input gives the same Walk (`own_us` aside). Holds are released in the order in which
    they are due. For everything that follows, a released event counts as accepted at the moment it
    was due, and an event that waited for a reply as accepted when the reply came: so a delay behind
    it counts from there.
    """
    runner = _Runner(plan, surroundings, bounded)
    for settlement in settlements:
        runner.settle(settlement)
    for arrival, due in sorted(released, key=lambda one: (one[1], one[0].event.accepted_at)):
        runner.release(arrival, due)
    for arrival in arrivals:
        runner.add(arrival)
    return runner.finish()


class _Runner:
    def __init__(self, plan: Plan, surroundings: Surroundings, bounded: bool) -> None:
        self._plan, self._surroundings = plan, surroundings
        self._most_hops = plan.most_hops
        self._walk = Walk()
        self._views = Views()
        self._sizes = Sizes(self._views.dict_of, bounded)
        self._names = {"workspace": plan.workspace, "flow": plan.flow}
        self._contexts: dict[str, NodeContext] = {}
        self._queues: dict[str, list[Call]] = {}
        self._due: list[int] = []  # heap of the places of nodes with a queue
        self._counts: defaultdict[int, int] = defaultdict(int)

    # --- what comes in
    def add(self, arrival: Arrival) -> None:
        """Queue one arrival at its node; a fresh one is counted."""
        if arrival.fresh:
            self._walk.arrived.append((arrival.root, arrival.node))
        self._counts[arrival.root] += 1
        planned = self._plan.nodes.get(arrival.node)
        if planned is not None:
            self._queue(planned, Call(arrival, planned.node.handle, b""))
        else:
            lose(self._walk, self._plan, arrival, 0)

    def settle(self, settlement: Settlement) -> None:
        """Queue the reply to an effect at the node that asked."""
        arrival = settlement.arrival
        planned = self._plan.nodes.get(arrival.node)
        if planned is None:
            lose(self._walk, self._plan, arrival, settlement.attempt)
            return
        node, effect, reply = planned.node, settlement.effect, settlement.reply

        def begin(event: Event, ctx: Context) -> Iterator[Result]:
            return node.settle(event, effect, reply, ctx)

        moment = max(arrival.event.accepted_at, self._surroundings.now)
        self._queue(planned, Call(moved(arrival, moment), begin, b"~settled", settlement))

    def release(self, arrival: Arrival, due: float) -> None:
        """Queue a held arrival that is due."""
        planned = self._plan.nodes.get(arrival.node)
        if planned is None:
            lose(self._walk, self._plan, arrival, 0)
            return
        call = Call(moved(arrival, due), planned.node.release, b"~released")
        self._queue(planned, call)

    def _queue(self, planned: PlannedNode, call: Call) -> None:
        queue = self._queues.get(planned.id)
        if queue is None:
            self._queues[planned.id] = [call]
            heapq.heappush(self._due, planned.index)
        else:
            queue.append(call)

    # --- the walk
    def finish(self) -> Walk:
        """Walk until nobody has anything left to handle."""
        while self._due:
            planned = self._plan.nodes[self._plan.order[heapq.heappop(self._due)]]
            self._handle_all(planned, self._queues.pop(planned.id))
        for node_id, ctx in self._contexts.items():
            for key, change in ctx.state.changes.items():
                self._walk.state[node_id, key] = change
        return self._walk

    def _handle_all(self, planned: PlannedNode, calls: list[Call]) -> None:
        ctx = self._contexts.get(planned.id)
        if ctx is None:
            wall = self._surroundings.now
            ctx = NodeContext(self._names, planned.id, self._views, wall)
            self._contexts[planned.id] = ctx
        state_keys = self._load_state(planned, calls, ctx) if planned.keeps_state else []
        for index, call in enumerate(calls):
            arrival, settlement = call.arrival, call.settlement
            ctx.point_at(arrival)
            if state_keys:
                ctx.state.begin(state_keys[index], max(ctx.now, self._surroundings.now))
            started = perf_counter_ns()
            said = listen(call.begin, arrival.event, ctx, settlement is None)
            own_us = (perf_counter_ns() - started) // 1_000
            self._conclude(planned, ctx, call, said, own_us)

    def _load_state(
        self, planned: PlannedNode, calls: list[Call], ctx: NodeContext
    ) -> list[tuple[str, ...]]:
        """The keys of each call. One that can't be worked out is left to `handle`, which then
        fails for its event alone."""
        keys: list[tuple[str, ...]] = []
        for call in calls:
            try:
                ctx.point_at(call.arrival)
                keys.append(planned.node.state_keys(call.arrival.event, ctx))
            except Exception:
                keys.append(())
        ctx.state.load(self._surroundings, [key for some in keys for key in some])
        return keys

    # --- what comes of one call
    def _conclude(
        self, planned: PlannedNode, ctx: NodeContext, call: Call, said: Said, own_us: int
    ) -> None:
        event, turns = call.arrival.event, planned.loops and call.way == b"~released"
        failed = said.failed or note_causes(said, event, ctx, is_turn=turns, most=self._most_hops)
        made = said.emissions
        made_one = len(made) == 1
        if failed is None and (
            (made and not (made_one and made[0][1] is event))
            or said.inside
            or said.ask is not None
            or planned.keeps_state
        ):
            failed = self._measure(planned, ctx, call.arrival, said)
        sent, unwired = ([], []) if failed else lead_on(planned, call.arrival, call.way, made)
        if failed is None and self._counts[call.arrival.root] + len(sent) > MOST_ARRIVALS:
            says = f"One event led to more than {MOST_ARRIVALS:,} others in one run."
            failed = Failed("limit", says)
        if failed is not None:
            self._fail(planned, ctx, call, said, failed, own_us)
            return
        if planned.keeps_state:
            ctx.state.accept()
        for arrival in sent:
            self.add(arrival)
        if said.ask is not None or said.hold is not None or said.inside:
            note_requests(self._walk, ctx, call.arrival, said)
        outcome, why = judge(said, planned.is_consumer, bool(sent), unwired)
        note_step(
            self._walk,
            call,
            outcome,
            own_us,
            ports=(made[0][0],) if made_one else tuple([port for port, _ in made]),
            why=why,
            output=show_output(self._views, planned, event, made),
        )

    def _measure(
        self, planned: PlannedNode, ctx: NodeContext, arrival: Arrival, said: Said
    ) -> Failed | None:
        """The failure of a call that made too much of its event."""
        effects = said.inside if said.ask is None else [*said.inside, said.ask]
        kept = ctx.state.pending if planned.keeps_state else ()
        return self._sizes.check(arrival.root, arrival.event, said.emissions, effects, kept)

    def _fail(
        self,
        planned: PlannedNode,
        ctx: NodeContext,
        call: Call,
        said: Said,
        failed: Failed,
        own_us: int,
    ) -> None:
        arrival, settlement = call.arrival, call.settlement
        failure = {"kind": failed.kind, "message": failed.message[:_LONGEST_MESSAGE]}
        if failed.detail is not None:
            failure["detail"] = failed.detail
        if settlement is not None and failed.retry and self._plan.retries:
            pause = decide(
                planned.node.retry_policy(),
                settlement.attempt,
                seed=ctx.key,
                after_seconds=failed.after_seconds,
                age=self._surroundings.now - settlement.since,
            )
            if pause is not None:
                due = self._surroundings.now + pause
                self._walk.retries.append(Retry(settlement, due, failure))
                note_step(self._walk, call, "retrying", own_us, error=failure, why=said.because)
                return
        sent: list[Arrival] = []
        if planned.takes_errors:
            event = with_error(arrival.event, planned.id, failure)
            sent, _ = lead_on(planned, arrival, call.way, [("error", event)])
        if sent and self._counts[arrival.root] + len(sent) <= MOST_ARRIVALS:
            for onward in sent:
                self.add(onward)
            ports: tuple[str, ...] = ("error",)
            note_step(self._walk, call, "passed", own_us, ports, said.because, error=failure)
            return
        attempts = settlement.attempt if settlement is not None else 1
        self._walk.dead.append(Dead(counted(arrival), failure, attempts))
        note_step(self._walk, call, "dead", own_us, error=failure, why=said.because)
