"""Where do the events that a node emits arrive, and by which way did they come?"""

from collections.abc import Sequence
from zlib import crc32

from workflows.engine.node import Emission
from workflows.engine.plan import PlannedNode
from workflows.engine.walk import Arrival


def lead_on(
    planned: PlannedNode, arrival: Arrival, way: bytes, emissions: Sequence[Emission]
) -> tuple[list[Arrival], list[str]]:
    """The arrivals at the ends of the wires, and the ports without a wire, one for each emission.

    An arrival's path number follows from the names of the wires and the places of the emissions
    on its way, so it is the same in every version that has that way. `way` keeps apart what a node
    emits at different moments (at once, when a reply comes, when a hold is due).
    """
    base = crc32(way, arrival.path) if way else arrival.path
    sent: list[Arrival] = []
    unwired: list[str] = []
    for index, (port, event) in enumerate(emissions):
        ends = planned.ways.get(port)
        if ends is None:
            unwired.append(port)
            continue
        for target, wire in ends:
            path = crc32(wire, base)
            if index:
                path = crc32(b"#%d" % index, path)
            sent.append(Arrival(arrival.root, target, event, path))
    return sent, unwired


def counted(arrival: Arrival) -> Arrival:
    """The same arrival, no longer fresh: it will come back, or is kept, but is counted already."""
    return Arrival(arrival.root, arrival.node, arrival.event, arrival.path, fresh=False)


def moved(arrival: Arrival, moment: float) -> Arrival:
    """The same arrival, its event counting as accepted at `moment`."""
    event = arrival.event.replace(accepted_at=moment)
    return Arrival(arrival.root, arrival.node, event, arrival.path, arrival.fresh)
