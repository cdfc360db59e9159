"""How do many threads and processes take turns at writing to one SQLite file?

SQLite's own busy wait is unfair: a waiter sleeps and tries again, and may starve for seconds. Here
threads of a process queue first in, first out; the one at the front then waits in the kernel
(`flock`), which wakes waiters in the order they came.
"""

import fcntl
import os
import threading
import time
from collections import deque

_TRY_SECONDS = 0.0001


class WriteLock:
    """One per database file and process. Not re-entrant: a transaction takes it once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._held = False
        self._descriptor: int | None = None
        self._pid = 0
        self.waits: deque[float] = deque(maxlen=1_000)  # seconds, of the latest holders

    def acquire(self) -> None:
        """Wait for the turn. A forked child opens its own descriptor: an inherited one would
        share the parent's lock."""
        begun = time.monotonic()
        self._after_fork()
        with self._mutex:
            turn = None
            if self._held or self._queue:
                turn = threading.Event()
                self._queue.append(turn)
            else:
                self._held = True
        if turn is not None:
            turn.wait()
        try:
            fcntl.flock(self._opened(), fcntl.LOCK_EX)
        except BaseException:
            self._next()
            raise
        self.waits.append(time.monotonic() - begun)

    def acquire_soon(self, seconds: float) -> bool:
        """Take the turn if nobody here has it or waits for it, and no other process does after this
        time; whether that was so."""
        self._after_fork()
        with self._mutex:
            if self._held or self._queue:
                return False
            self._held = True
        try:
            is_mine = self._try_for(seconds)
        except BaseException:
            self._next()
            raise
        if not is_mine:
            self._next()
        return is_mine

    def _try_for(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:  # another process has it
                if time.monotonic() >= end:
                    return False
            time.sleep(_TRY_SECONDS)

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def release(self) -> None:
        """Let the next waiter in."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._next()

    def _next(self) -> None:
        with self._mutex:
            if self._queue:
                self._queue.popleft().set()  # handed over: `_held` stays true
            else:
                self._held = False

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            self._mutex = threading.Lock()
            self._queue = deque()
            self._held = False
            self._descriptor = None
            self._pid = os.getpid()


def wait_p99() -> float:
    """Seconds that 99 of 100 recent writers of this process waited at most; 0 without any."""
    waits = sorted(wait for lock in list(_locks.values()) for wait in list(lock.waits))
    return waits[int(len(waits) * 0.99)] if waits else 0.0


_locks: dict[str, WriteLock] = {}
_registry = threading.Lock()


def write_lock(database: str) -> WriteLock:
    """The lock of a database file; the same object for every connection of this process."""
    path = os.path.realpath(database) + ".lock"
    with _registry:
        if path not in _locks:
            _locks[path] = WriteLock(path)
        return _locks[path]
