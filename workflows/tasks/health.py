"""Is anybody working? Each part that lives says so in Redis, under a key that soon expires."""

import logging
import threading
import time

import redis

from workflows.tasks.nudge import connection
from workflows.tasks.owner import owner

log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 10
_EVERY_SECONDS = 3.0


def report(part: str) -> None:
    """Say that `part` (`worker`, `timers`) of this process is alive."""
    try:
        name = f"eventflow:{part}" if part == "timers" else f"eventflow:{part}:{owner()}"
        connection().set(name, int(time.time()), ex=_EXPIRY_SECONDS)
    except redis.RedisError as problem:
        log.warning("health not reported: %s", problem)


def keep_reporting(part: str) -> None:
    """Report from a thread for as long as the process lives."""

    def run() -> None:
        while True:
            report(part)
            time.sleep(_EVERY_SECONDS)

    threading.Thread(target=run, name="health", daemon=True).start()


def alive() -> dict[str, int]:
    """How many workers and timers reported lately. Raises RedisError when Redis is away."""
    workers = sum(1 for _ in connection().scan_iter("eventflow:worker:*"))
    return {"workers": workers, "timers": int(bool(connection().exists("eventflow:timers")))}
