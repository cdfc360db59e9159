"""Who answers the effects of a shadow run? What the world answered live. Pure."""

from collections.abc import Sequence

import msgspec

from workflows.engine.effects import Answer, CeleryTask, Effect, HttpRequest, Mail, Publish, Reply
from workflows.engine.plan import Plan
from workflows.engine.walk import Arrival, Settlement, Step
from workflows.storage.recorded import Recorded

NEUTRAL = Reply(ok=True, status=200)


def answer(known: Sequence[Recorded], plan: Plan, arrival: Arrival) -> Recorded | None:
    """The recorded answer to this arrival's effect: the one by the same way, else the only one
    that the node got. None when there is none, or not enough of it was kept."""
    here = [one for one in known if one.node == arrival.node]
    same_way = [one for one in here if one.path == arrival.path]
    if not same_way and len({one.path for one in here}) == 1:
        same_way = here
    return same_way[-1] if same_way and same_way[-1].reply(plan) is not None else None


def settled(
    arrival: Arrival, effect: Effect, attempt: int, known: Recorded | None, plan: Plan
) -> Settlement:
    """The effect as if it had been made: by the recorded answer, else by a neutral one."""
    reply = known.reply(plan) if known is not None else None
    if known is None or reply is None:
        return Settlement(arrival, effect, NEUTRAL, attempt)
    return Settlement(arrival, effect, reply, max(attempt, known.attempt))


def told(step: Step, effect: Effect, known: Recorded | None) -> Step:
    """The step saying what was not done, and who answered instead."""
    if isinstance(effect, Publish):
        says = f"Not published in a shadow run: to channel {effect.channel}."
    elif isinstance(effect, Answer):
        says = "Nobody was answered, in a shadow run."
    elif known is None:
        says = (
            f"Not sent in a shadow run: {_name(effect)}. No recorded reply: a neutral 200 answered."
        )
    else:
        word = known.error or str(known.status)
        says = f"Not sent in a shadow run: {_name(effect)}. The recorded reply answered: {word}."
    why = step.why if isinstance(step.why, dict) else {}
    return msgspec.structs.replace(step, why={**why, "reason": says})


def _name(effect: Effect) -> str:
    match effect:
        case HttpRequest():
            return f"{effect.method} {effect.url}"
        case Mail():
            return f"mail to {', '.join(effect.to)}"
        case CeleryTask():
            return f"task {effect.name} by {effect.connection}"
    return "something"
