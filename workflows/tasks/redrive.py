"""How does a dead letter run again? From the node where it died, as a new run of its trace."""

import logging

from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.walk import Arrival
from workflows.storage import cursors, deadletters, log
from workflows.storage.commit import commit
from workflows.storage.parts import Stale, TraceRef
from workflows.storage.plans import load_plan
from workflows.tasks.context import Publisher, Surroundings, event_of, unix_now
from workflows.tasks.owner import owner
from workflows.tasks.process import announce, performer
from workflows.traces.recorder import Root, Setting, first_commit

logger = logging.getLogger(__name__)


def redrive(dead_letter_id: int) -> bool:
    """Run it again on the version that is published now; False when it isn't open any more.

    The dead letter is closed in the same transaction, so two clicks make one run.
    """
    letter = deadletters.claimable(dead_letter_id)
    if letter is None:
        return False
    channel_id = cursors.channel_of(letter.ref.subscription_id)
    row = log.read_one(channel_id, letter.ref.partition, letter.ref.offset)
    accepted_at = row.accepted_at if row else letter.dead_at
    event = event_of(letter.event, accepted_at)
    origin = event_of(row.body, accepted_at) if row else event
    plan = load_plan(letter.version_id)
    if letter.node not in plan.nodes:
        logger.warning("dead letter %d: node %s is gone", dead_letter_id, letter.node)
        return False
    while True:
        try:
            _run(letter, plan, origin, Arrival(0, letter.node, event, letter.path))
        except Stale:
            continue
        return True


def _run(letter: deadletters.Claimable, plan: Plan, origin: Event, arrival: Arrival) -> None:
    flow_id = letter.flow_id
    ref = TraceRef(*letter.ref[:3], deadletters.next_run(letter.ref))
    channel_id = cursors.channel_of(ref.subscription_id)
    root = Root(ref, origin, channel_id, arrival.event.type, arrival.event.id)
    surroundings = Surroundings(flow_id)
    walk = run(plan, surroundings, arrivals=[arrival])
    now = unix_now()
    publisher = Publisher(cursors.workspace_of(flow_id))
    setting = Setting(flow_id, letter.version_id, plan, now, owner(), publisher)
    admitted = [False] * len(walk.asks)
    part = first_commit(setting, [root], walk, admitted)
    part.minutes = {}
    part.state_read = surroundings.versions
    part.redriven = [letter.id]
    landed = commit([part], owner(), now)
    if walk.asks:
        performer().look()
    announce(landed, [part], publisher.channel_ids)
