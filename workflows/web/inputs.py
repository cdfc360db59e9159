"""What did each step of a trace get to see? Worked out from the steps before it and the wires.

Steps record what a node made, and only where it differs from what came. So an event is followed
along the wires, first come, first served; where that would be a guess, the answer is None.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

EventDict = dict[str, Any]
_PARKED = ("waiting", "held", "retrying")


def inputs_of(
    steps: Sequence[Mapping[str, Any]],
    wires: Sequence[Mapping[str, Any]],
    origin: EventDict | None,
) -> list[EventDict | None]:
    """For each step (as the recorder wrote it) the event that its node got, or None."""
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for wire in wires:
        targets[str(wire.get("from"))].append(str(wire.get("to")))
    queues: defaultdict[str, list[EventDict | None]] = defaultdict(list)
    parked: defaultdict[str, list[EventDict | None]] = defaultdict(list)
    out: list[EventDict | None] = []
    for index, step in enumerate(steps):
        node = str(step["n"])
        came = origin if index == 0 else _take(queues[node], parked[node])
        out.append(came)
        if step["o"] in _PARKED:
            parked[node].append(came)
        for port, event in zip(step.get("p", ()), _emitted(step, came), strict=True):
            for target in targets[f"{node}:{port}"]:
                queues[target].append(event)
    return out


def _take(queue: list[EventDict | None], parked: list[EventDict | None]) -> EventDict | None:
    if queue:
        return queue.pop(0)
    return parked.pop(0) if parked else None


def _emitted(step: Mapping[str, Any], came: EventDict | None) -> list[EventDict | None]:
    ports, made = step.get("p", ()), step.get("d")
    if made is None:
        return [came] * len(ports)
    if "specversion" in made:
        return [made] if len(ports) == 1 else [None] * len(ports)
    events = made.get("events", []) if made.get("total") == len(ports) else []
    return [*events, *[None] * len(ports)][: len(ports)]
