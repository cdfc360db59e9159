"""How does a worker learn that there is something to do? By a nudge: one small Celery message.

A nudge is only a hint. Many of them for the same subscription collapse into one (a Redis key with
a short life), and one that is lost is made good by the sweep.
"""

import logging
from collections.abc import Iterable
from functools import cache

import redis
from django.conf import settings

log = logging.getLogger(__name__)
_KEY_MILLISECONDS = 1000
_away = False  # said once, not at every nudge


@cache
def connection() -> redis.Redis:
    """The process's Redis client. Calls fail fast when Redis is away."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1.0, socket_connect_timeout=1.0, retry=None
    )


def disconnect() -> None:
    """Close this process's connection to Redis; the next call opens a new one. Celery keeps its
    own until the process ends: its pool can't be emptied and used again."""
    if connection.cache_info().currsize:
        connection().close()
        connection.cache_clear()


def key_of(subscription_id: int) -> str:
    return f"eventflow:nudge:{subscription_id}"


def nudge(subscription_ids: Iterable[int]) -> bool:
    """Ask for a drain of each; whether one of them had to be asked for. Never raises: without Redis
    the sweep finds the lag later."""
    global _away
    asked = False
    for subscription_id in subscription_ids:
        try:
            if _set_key(subscription_id):
                _ask_for(subscription_id)
                asked = True
        except Exception as problem:  # redis and kombu raise many kinds; all mean "not now"
            if not _away:
                log.warning("nudges can't be sent, the sweep will find the lag: %s", problem)
            _away = True
            return asked
        _away = False
    return asked


def claim(subscription_id: int) -> bool:
    """Take the place of a nudge: whether nobody has been nudged since `clear`, and nobody will be
    until the next one. Without Redis nobody is."""
    try:
        return _set_key(subscription_id)
    except redis.RedisError:
        return True


def _set_key(subscription_id: int) -> bool:
    return bool(connection().set(key_of(subscription_id), 1, nx=True, px=_KEY_MILLISECONDS))


def _ask_for(subscription_id: int) -> None:
    """Send the message. Once more when the broker was restarted since the last one; if that fails
    too, the key goes, lest it hold up the nudges that come when the broker is back."""
    from workflows.tasks.jobs import drain

    try:
        drain.apply_async(
            (subscription_id,), retry=True, retry_policy={"max_retries": 1, "interval_start": 0}
        )
    except Exception:
        clear(subscription_id)
        raise


def clear(subscription_id: int) -> None:
    """Let new nudges through. A drain does this before its last look."""
    try:
        connection().delete(key_of(subscription_id))
    except redis.RedisError as problem:
        log.warning("nudge key not cleared, it expires by itself: %s", problem)
