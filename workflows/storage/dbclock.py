"""What time is it? By the database's clock, since leases and due times are compared with it.

A machine's own clock may be wrong; a process therefore asks the database now and then, and counts
on from there with the monotonic clock. On SQLite the two are one and the same.
"""

import threading
import time

from workflows.storage import sql

_FRESH_SECONDS = 10.0
_TRIES = 3  # the quickest answer errs least; the first may have to open a connection
_lock = threading.Lock()
_asked_at = float("-inf")  # monotonic
_ahead = 0.0  # the database's Unix seconds less our monotonic ones


def now() -> float:
    """Unix seconds."""
    global _asked_at, _ahead
    if not sql.is_postgres():
        return time.time()
    with _lock:
        moment = time.monotonic()
        if moment - _asked_at > _FRESH_SECONDS:
            _, _ahead = min(_ask() for _ in range(_TRIES))
            _asked_at = moment = time.monotonic()
        return moment + _ahead


def _ask() -> tuple[float, float]:
    """How long the answer took, and the database's Unix seconds less our monotonic ones."""
    before = time.monotonic()
    theirs = sql.database_now()
    after = time.monotonic()
    return after - before, theirs - (before + after) / 2
