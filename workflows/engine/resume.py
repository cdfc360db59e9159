"""What does a run become when some of what it asks for is answered before it is committed?"""

from collections.abc import Mapping
from typing import NamedTuple

from workflows.engine.context import Surroundings
from workflows.engine.effects import Reply
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.sizes import Overfull
from workflows.engine.walk import Arrival, Settlement, Walk


class Resumed(NamedTuple):
    """The whole of it, and which asks of the first walk were taken for answered. The others are
    still asks, in their order and before those that came after them."""

    walk: Walk
    answered: frozenset[int]


def resume(
    plan: Plan, surroundings: Surroundings, walk: Walk, replies: Mapping[int, Reply], since: float
) -> Resumed:
    """Walk on with the replies to what a walk asked for, by places in `walk.asks`; all were called
    once, at `since` (Unix seconds). What has to be made again stays an ask, as if nobody had
    answered, and so does everything where it becomes too much together. `walk` isn't changed."""
    answered = sorted(replies)
    while answered:
        settlements = [
            Settlement(walk.asks[i].arrival, walk.asks[i].effect, replies[i], 1, since)
            for i in answered
        ]
        try:
            later = run(plan, surroundings, settlements=settlements, bounded=True)
        except Overfull:
            break
        if not later.retries:
            return Resumed(_joined(walk, frozenset(answered), later), frozenset(answered))
        again = {_place(retry.settlement.arrival) for retry in later.retries}
        answered = [i for i in answered if _place(walk.asks[i].arrival) not in again]
    return Resumed(walk, frozenset())


def _place(arrival: Arrival) -> tuple[int, int]:
    return arrival.root, arrival.path


def _joined(first: Walk, answered: frozenset[int], later: Walk) -> Walk:
    """One walk, in which what was answered never waited."""
    went_on = {_place(first.asks[i].arrival) for i in answered}
    steps = [
        step
        for step in first.steps
        if step.outcome != "waiting" or (step.root, step.path) not in went_on
    ]
    return Walk(
        steps=steps + later.steps,
        asks=[ask for i, ask in enumerate(first.asks) if i not in answered] + later.asks,
        inside=first.inside + later.inside,
        held=first.held + later.held,
        dead=first.dead + later.dead,
        arrived=first.arrived + later.arrived,
        state=first.state | later.state,
    )
