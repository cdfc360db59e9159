"""Is anybody working, and if not, what is there to do?"""

import threading
import time
from typing import NamedTuple

import redis

from workflows.storage import disk
from workflows.tasks import health

_FRESH_SECONDS = 5.0


class Check(NamedTuple):
    """One part of the installation. `state` is ok, held or failed."""

    part: str
    state: str
    says: str
    todo: str = ""


class Wellbeing(NamedTuple):
    """The worst of all checks, in a word, and each of them."""

    state: str
    word: str
    checks: tuple[Check, ...]


UNKNOWN = Wellbeing("held", "Checking…", ())
_lock = threading.Lock()
_last: tuple[float, Wellbeing] = (float("-inf"), UNKNOWN)


def last_known() -> Wellbeing:
    """What this process found out last; asks nobody, so that no page waits for Redis."""
    return _last[1]


def look() -> Wellbeing:
    """How things are, at most a few seconds old. Takes a second at most when Redis is away."""
    global _last
    with _lock:
        if time.monotonic() - _last[0] > _FRESH_SECONDS:
            _last = (time.monotonic(), _examine())
        return _last[1]


def _examine() -> Wellbeing:
    try:
        alive = health.alive()
    except redis.RedisError:
        return judge(None)
    return judge(alive, disk.is_low())


def judge(alive: dict[str, int] | None, is_full: bool = False) -> Wellbeing:
    """What the numbers of living workers and timers mean, None: Redis doesn't answer; and whether
    the disk is too full for more events."""
    if alive is None:
        says = "Redis doesn't answer. Events are still accepted and kept; flows run late or not."
        todo = "Start it again: make run brings its own; else look at REDIS_URL."
        return Wellbeing("failed", "Redis is away", (Check("Redis", "failed", says, todo),))
    checks = (
        Check("Redis", "ok", "Answers."),
        _workers(alive.get("workers", 0)),
        _timers(alive.get("timers", 0)),
        _room(is_full),
    )
    for state in ("failed", "held"):
        for check in checks:
            if check.state == state:
                return Wellbeing(state, check.says.partition(".")[0], checks)
    return Wellbeing("ok", "Healthy", checks)


def _room(is_full: bool) -> Check:
    if not is_full:
        return Check("Disk", "ok", "Has room for events.")
    says = "The disk is nearly full. No events are accepted until there is more room."
    return Check("Disk", "failed", says, "Free some space, or keep the events of channels shorter.")


def _workers(count: int) -> Check:
    if count:
        return Check("Workers", "ok", f"{count} reported in the last ten seconds.")
    says = "No worker runs. Events are accepted and wait until one does."
    return Check(
        "Workers", "failed", says, "Start one: manage.py up, or celery -A eventflow worker."
    )


def _timers(count: int) -> Check:
    if count:
        return Check("Timers", "ok", "Ticking.")
    says = "No timer ticks. Retries, delays and schedules wait."
    return Check("Timers", "held", says, "Start it: manage.py up, or celery -A eventflow beat.")
