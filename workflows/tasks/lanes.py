"""How does a person move a lane on whose head is stuck? By parking the head, or skipping it.

Either one ends the parked row in a commit like any other, so that the accounting holds and the
next row of the lane comes forward.
"""

import secrets
from typing import Any, Literal

from workflows.engine.walk import Arrival, Dead, Step, Walk
from workflows.storage import cursors, dbclock, lanes, sql
from workflows.storage.commit import commit
from workflows.storage.lanes import Head
from workflows.storage.parts import FlowCommit, Taken, TraceRef
from workflows.storage.plans import PlanMissing, load_plan
from workflows.tasks.context import Publisher
from workflows.tasks.due import events_of
from workflows.tasks.owner import owner
from workflows.tasks.process import announce
from workflows.tasks.settle import parked_root
from workflows.tasks.waker import ask_to_fire
from workflows.traces.recorder import Setting, later_commit

Act = Literal["park", "skip"]
PARKED = "parked"  # kind of the dead letter's failure

_GONE = "It isn't at the head of its lane any more: look again at what waits."
_UNDER_WAY = "It is being worked on right now: look again when that is over."
_LEADS = (
    "The node “{}” remembers it together with other events, which would be lost with it:"
    " it goes on by itself."
)


class NotNow(Exception):
    """The head stays; what it says tells why."""


def set_aside(flow_id: int, number: int, act: Act, by: str) -> TraceRef:
    """End the head of a lane: as a dead letter (park), or as filtered (skip). The next one of the
    lane goes on. Whose trace it was. Raises `NotNow` when the row isn't a head, is under way, or
    leads others."""
    while True:
        head = lanes.find_head(flow_id, number)
        if head is None:
            raise NotNow(_GONE)
        if head.under_way_since is not None:
            raise NotNow(_UNDER_WAY)
        if _end(head, act, by):
            ask_to_fire()
            return head.ref


def _end(head: Head, act: Act, by: str) -> bool:
    """False when somebody else had it first: look again."""
    now = dbclock.now()
    part = _part(head, act, by, now)
    hand = f"by hand {secrets.token_hex(8)}"
    with sql.write():
        if not lanes.claim(head, hand):
            return False
        landed = commit([part], hand, now, ordered=True)
    announce(landed, [part], ())
    return True


def _part(head: Head, act: Act, by: str, now: float) -> FlowCommit:
    try:
        plan = load_plan(head.version_id)
    except PlanMissing as problem:
        raise NotNow(str(problem)) from None
    planned = plan.nodes.get(head.node)
    if head.is_held and planned is not None and planned.keeps_state:
        raise NotNow(_LEADS.format(planned.name))
    ((event, origin, channel_id),) = events_of([(head.ref, head.event)])
    root = parked_root(head.ref, origin, channel_id, head.lane)
    arrival = Arrival(0, head.node, event, head.path, fresh=False)
    publisher = Publisher(cursors.workspace_of(head.flow_id))
    setting = Setting(head.flow_id, head.version_id, plan, now, owner(), publisher)
    part = later_commit(setting, [root], _walk(head, arrival, act, by), [])
    taken = Taken(head.number, head.attempt)
    if head.is_held:
        part.released = [taken]
    else:
        part.settled, part.slots = [taken], [head.number]
    return part


def _walk(head: Head, arrival: Arrival, act: Act, by: str) -> Walk:
    """What the engine would have said, had it decided so."""
    if act == "skip":
        why = {"reason": f"Skipped by {by}."}
        return Walk(steps=[Step(0, head.node, "filtered", head.path, why=why)])
    failure: dict[str, Any] = {"kind": PARKED, "message": f"Parked by {by}."}
    if head.failure is not None:
        failure["detail"] = {"last_failure": head.failure}
    attempts = 1 if head.is_held else head.attempt
    return Walk(
        steps=[Step(0, head.node, "dead", head.path, error=failure)],
        dead=[Dead(arrival, failure, attempts)],
    )
