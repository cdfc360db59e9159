"""What of a Walk belongs to which of its roots?"""

from typing import Any

from workflows.engine.effects import Publish
from workflows.engine.walk import Step, Walk
from workflows.storage.sql import column


def steps(walk: Walk, roots: int) -> list[list[Step]]:
    """The steps of each root, in their order."""
    out: list[list[Step]] = [[] for _ in range(roots)]
    for step in walk.steps:
        out[step.root].append(step)
    return out


def opened(walk: Walk, roots: int) -> list[int]:
    """Arrivals of each root that are parked now. A retry was parked already, and stays so."""
    out = [0] * roots
    for ask in walk.asks:
        out[ask.arrival.root] += 1
    for held in walk.held:
        out[held.arrival.root] += 1
    for retry in walk.retries:
        out[retry.settlement.arrival.root] += 1
    return out


def failures(walk: Walk) -> dict[int, list[dict[str, Any]]]:
    """Why arrivals ended as dead letters, of the roots that have any."""
    out: dict[int, list[dict[str, Any]]] = {}
    for dead in walk.dead:
        out.setdefault(dead.arrival.root, []).append(dead.failure)
    return out


def published(walk: Walk) -> dict[int, list[tuple[str, str]]]:
    """What was put into channels: (channel, event id), of the roots that have any."""
    out: dict[int, list[tuple[str, str]]] = {}
    for ask in walk.inside:
        if isinstance(ask.effect, Publish):
            told = (ask.effect.channel, column(str(ask.effect.event["id"])))
            out.setdefault(ask.arrival.root, []).append(told)
    return out
