"""What happens because its time has come? Held arrivals go on, producers make events."""

import logging

from workflows.engine.event import Event
from workflows.engine.node import Producer
from workflows.storage import channels, cursors, sql, work
from workflows.storage.log import append_within
from workflows.storage.plans import PlanMissing, load_plan
from workflows.tasks.context import incoming, unix_now
from workflows.tasks.nudge import nudge
from workflows.tasks.settle import release_due

logger = logging.getLogger(__name__)

_RELEASES = 500  # held arrivals a tick; the rest have the next one
_CATCH_UP = 100  # missed moments that one timer makes up for in a tick
_RETRY_SECONDS = 30.0


def tick() -> None:
    """Release what is due and fire the timers that are due."""
    release_due(_RELEASES)
    for timer in work.due_timers():
        try:
            _fire(timer)
        except Exception as problem:  # one broken timer must not stop the others
            logger.exception("timer of subscription %d failed", timer.subscription_id)
            work.advance_timer(timer, unix_now() + _RETRY_SECONDS, str(problem)[:300])


def _fire(timer: work.DueTimer) -> None:
    reader = cursors.reader(timer.subscription_id)
    if reader is None:
        return
    try:
        planned = load_plan(reader.version_id).nodes[reader.node]
    except (PlanMissing, KeyError) as problem:
        work.advance_timer(timer, unix_now() + _RETRY_SECONDS, str(problem)[:300])
        return
    now = unix_now()
    producer = planned.node
    assert isinstance(producer, Producer), "subscriptions belong to producers"
    seed = f"{reader.workspace_id}/{reader.flow}/{reader.node}"
    due: float | None = timer.due_at
    events: list[Event] = []
    for _ in range(_CATCH_UP):
        if due is None or due > now:
            break
        events += producer.make(due, seed)
        due = producer.next_due(due)
    if due is not None and due <= now:  # too far behind to make up for: go on from here
        due = producer.next_due(now)
    never = now + 10 * 365 * 86_400.0
    channel = channels.by_id(reader.channel_id)
    with sql.write():
        if not work.advance_timer(timer, never if due is None else due):
            return  # another worker fired it
        append_within([incoming(channel, event.as_dict()) for event in events], now)
    nudge([timer.subscription_id])
