"""What happens because its time has come? Held arrivals go on, producers make events."""

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from workflows.engine.event import Event
from workflows.engine.expression import EvaluationError
from workflows.engine.node import Producer
from workflows.storage import channels, cursors, dbclock, sql, timers
from workflows.storage.log import append_within
from workflows.storage.plans import PlanMissing, load_plan
from workflows.storage.timers import DueTimer
from workflows.tasks.context import incoming
from workflows.tasks.due import release_due
from workflows.tasks.missed import moments
from workflows.tasks.nudge import nudge

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.3  # then drains get their turn
_RELEASES = 200  # held arrivals a commit
_TIMERS = 100
_REST_SECONDS = 30.0  # a timer that can't be fired isn't tried again before

_resting: dict[int, float] = {}  # subscription -> until when, of the process's clock


def tick() -> bool:
    """Fire the timers that are due and release what is due, for at most a slice; whether some is
    left."""
    end = time.monotonic() + SLICE_SECONDS
    is_left = _fire_all(time.monotonic() + SLICE_SECONDS / 2)
    while release_due(_RELEASES) == _RELEASES:
        if time.monotonic() > end:
            return True
    return is_left


def _fire_all(end: float) -> bool:
    due = timers.due(_TIMERS)
    for timer in due:
        if time.monotonic() > end:
            return True
        if _resting.get(timer.subscription_id, 0.0) > time.monotonic():
            continue
        try:
            _fire(timer)
        except Exception as problem:  # one broken timer must not stop the others
            logger.exception("timer of subscription %d failed", timer.subscription_id)
            _rest(timer, str(problem))
    return len(due) == _TIMERS


def _rest(timer: DueTimer, says: str) -> None:
    """Try again later: the moment isn't lost, the producer's policy decides about it then."""
    _resting[timer.subscription_id] = time.monotonic() + _REST_SECONDS
    timers.advance(timer, timer.due_at, error=sql.column(says, 300))


def _fire(timer: DueTimer) -> None:
    reader = cursors.reader(timer.subscription_id)
    if reader is None:
        return
    try:
        planned = load_plan(reader.version_id).nodes[reader.node]
    except (PlanMissing, KeyError) as problem:
        _rest(timer, str(problem))
        return
    now = dbclock.now()
    producer = planned.node
    assert isinstance(producer, Producer), "subscriptions belong to producers"
    due, following = moments(producer, timer.due_at, now)
    made = _make(producer, due, f"{reader.workspace_id}/{reader.flow}/{reader.node}")
    channel = channels.by_id(reader.channel_id)
    with sql.write():
        if not timers.advance(timer, following, made.fired_at, made.says):
            return  # another worker fired it
        append_within([incoming(channel, event.as_dict()) for event in made.events], now)
    nudge([timer.subscription_id])


class _Made(NamedTuple):
    """What some moments gave: events, the last one that gave any, and what was wrong with those
    that gave none."""

    events: list[Event]
    fired_at: float | None
    says: str


def _make(producer: Producer, due: Sequence[float], seed: str) -> _Made:
    events: list[Event] = []
    fired_at, says = None, ""
    for moment in due:
        try:
            made = producer.make(moment, seed)
        except EvaluationError as error:
            says = sql.column(error.says, 300)
            continue
        events += made
        fired_at = moment if made else fired_at
    return _Made(events, fired_at, says)
