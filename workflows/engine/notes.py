"""How is what came of an arrival written into the walk?"""

from typing import Any

import msgspec

from workflows.engine.context import NodeContext
from workflows.engine.event import JSON
from workflows.engine.outcome import Begin, Said
from workflows.engine.plan import Plan
from workflows.engine.walk import Arrival, Ask, Dead, Held, Settlement, Step, Walk
from workflows.engine.ways import counted


class Call(msgspec.Struct, frozen=True):
    """One arrival to be handled, and how: `begin` starts the node's code."""

    arrival: Arrival
    begin: Begin
    way: bytes  # keeps the ways out of handle, settle and release apart
    settlement: Settlement | None = None


def note_requests(walk: Walk, ctx: NodeContext, arrival: Arrival, said: Said) -> None:
    """What the node wants done. An arrival that waits was counted when it came."""
    if said.ask is not None:
        walk.asks.append(Ask(counted(arrival), said.ask, ctx.key))
    if said.hold is not None:
        walk.held.append(Held(counted(arrival), said.hold.due, said.hold.reason))
    for nth, effect in enumerate(said.inside):
        walk.inside.append(Ask(arrival, effect, ctx.effect_key(nth)))


def lose(walk: Walk, plan: Plan, arrival: Arrival, attempt: int) -> None:
    """End an arrival at a node that the plan doesn't have."""
    root, node, path = arrival.root, arrival.node, arrival.path
    if node in plan.dropped:
        why = {"reason": "Its node was removed, and what it held dropped."}
        walk.steps.append(Step(root, node, "expired", path, why=why))
        return
    says = f'The flow has no node "{node}" in this version.'
    failure = {"kind": "unknown-node", "message": says}
    walk.dead.append(Dead(counted(arrival), failure, max(attempt, 1)))
    walk.steps.append(Step(root, node, "dead", path, error=failure, attempt=attempt))


def note_step(
    walk: Walk,
    call: Call,
    outcome: str,
    own_us: int,
    ports: tuple[str, ...] = (),
    why: JSON = None,
    output: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """The step in which the call ended."""
    arrival, settlement = call.arrival, call.settlement
    took, attempt = (settlement.reply.took_ms, settlement.attempt) if settlement else (0.0, 0)
    walk.steps.append(
        Step(
            arrival.root,
            arrival.node,
            outcome,
            arrival.path,
            ports,
            why,
            output,
            error,
            own_us,
            took,
            attempt,
        )
    )
