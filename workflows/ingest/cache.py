"""How do doors avoid a query per request? Answers from the database that are a second or two old.

Bounded, negative answers included; many requests that miss at once share one look-up.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import close_old_connections

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_threads = ThreadPoolExecutor(2, thread_name_prefix="lookup")


async def in_thread(load: Callable[[], V]) -> V:
    """Run a query on one of the look-up threads."""

    def run() -> V:
        close_old_connections()
        return load()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


class Cache(Generic[K, V]):
    """Remembers `load(key)` for `seconds`, at most `limit` answers."""

    def __init__(self, load: Callable[[K], V], seconds: float = 2.0, limit: int = 10_000) -> None:
        self._load, self._seconds, self._limit = load, seconds, limit
        self._known: dict[K, tuple[float, V]] = {}
        self._asking: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K) -> V:
        """The answer, at most `seconds` old. Raises what `load` raises; that isn't kept."""
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(in_thread(lambda: self._load(key)))
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(asking)

    def _keep(self, key: K, done: "asyncio.Future[V]") -> None:
        self._asking.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[key] = (time.monotonic() + self._seconds, done.result())
