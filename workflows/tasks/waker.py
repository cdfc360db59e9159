"""How does due work get done in time? A thread looks when the next moment is, and asks then.

Timers would do without it, only later: the beat's ticks find what is due too.
"""

import logging
import threading
from collections.abc import Callable

import redis
from django.db import connection

from workflows.storage.moments import seconds_to_next
from workflows.tasks.nudge import connection as redis_connection

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2  # at most until the next look: what was parked meanwhile may be due sooner
_PAUSE_SECONDS = 0.05  # after asking: what is due stays so until a worker has come to it
_KEY = "eventflow:fire"
_KEY_MILLISECONDS = 1000


def ask_to_fire() -> None:
    """Ask a worker for a slice of what is due; many who ask at once send one message. Never
    raises: without Redis there are no ticks either, and all of it is only late."""
    from workflows.tasks.jobs import fire

    try:
        if redis_connection().set(_KEY, 1, nx=True, px=_KEY_MILLISECONDS):
            fire.apply_async(retry=False, expires=_KEY_MILLISECONDS / 1000)
    except Exception as problem:  # redis and kombu raise many kinds; all mean "not now"
        log.info("due work waits for the beat's ticks: %s", problem)


def let_ask() -> None:
    """Let the next one who asks send a message. Done before looking for what is due."""
    try:
        redis_connection().delete(_KEY)
    except redis.RedisError as problem:
        log.info("the key of due work isn't cleared, it expires by itself: %s", problem)


def pause_before_look(left: float | None) -> float:
    """How long to wait before the next look, when the earliest moment is `left` seconds away: never
    beyond that moment."""
    if left is None:
        return _LOOK_SECONDS
    return min(left, _LOOK_SECONDS) if left > 0 else _PAUSE_SECONDS


class Waker:
    """Calls `ask` whenever something is due. One per worker process."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until it has."""
        self._end.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        pause, is_well = 0.0, True
        while not self._end.wait(pause):
            try:
                pause = self._look()
                is_well = True
            except Exception as problem:  # the database is away, say: the thread must outlive it
                if is_well:
                    log.warning("due work isn't looked for, only the beat's ticks: %s", problem)
                connection.close()
                pause, is_well = 1.0, False
        connection.close()

    def _look(self) -> float:
        """Ask if it is time; how long to wait until the next look."""
        left = seconds_to_next()
        if left is not None and left <= 0:
            self._ask()
        return pause_before_look(left)
