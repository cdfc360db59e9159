"""Which events kill the workers that take them, and what becomes of these?

Nothing is written before a batch of fresh events is run, so a worker that dies in it leaves no
word. But what is late is run under a lease, and leases are counted until the cursor moves. Where
one was in vain, events are taken one by one (`choice.py`), in partition after partition; and one
at which that ended too often becomes a dead letter of its producer.
"""

from collections.abc import Sequence

from workflows.engine.event import Event
from workflows.engine.walk import Arrival, Dead, Step, Walk
from workflows.storage import dbclock
from workflows.storage.stored import Stored

KIND = "crash"  # of their failure
MOST_LEASES = 3  # in vain, of one position: the first for a batch, the others for one event
_LATE_SECONDS = 3.0  # after it was accepted; by then it may have killed a worker


def is_late(rows: Sequence[Stored]) -> bool:
    """Whether some of these events have waited for longer than events do."""
    limit = dbclock.now() - _LATE_SECONDS
    return any(row.accepted_at < limit for row in rows)


def give_up(node: str, events: Sequence[Event], attempts: int) -> Walk:
    """What becomes of events at which workers died: they end at their producer."""
    says = (
        f"Processing this event broke off {attempts} times: the worker was killed, ran out of"
        " memory or failed. The log of the workers tells more. Run it again when that is mended."
    )
    failure = {"kind": KIND, "message": says}
    walk = Walk()
    for root, event in enumerate(events):
        arrival = Arrival(root, node, event, fresh=False)
        walk.arrived.append((root, node))
        walk.steps.append(Step(root, node, "dead", error=failure))
        walk.dead.append(Dead(arrival, failure, attempts))
    return walk
