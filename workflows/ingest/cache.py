"""How do doors avoid a query per request? Answers from the database that are a second or two old.

Bounded, negative answers included; many requests that miss at once share one look-up.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Generic, TypeVar

from django.db import close_old_connections

_begun: ContextVar[float] = ContextVar("begun", default=math.inf)  # the `warm` around this
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cold(Exception):
    """A cache doesn't know (any more) what is asked; `load` makes it learn that."""

    def __init__(self, load: Callable[[], Awaitable[object]]) -> None:
        self.load = load


async def warm(work: Callable[[], V]) -> V:
    """What `work` returns once the caches know all that it asks for. What they learn meanwhile is
    known until it returns, however long the look-ups take."""
    outer = _begun.set(time.monotonic())
    try:
        while True:
            try:
                return work()
            except Cold as cold:
                await cold.load()
    finally:
        _begun.reset(outer)


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
        self._known: dict[K, tuple[float, V]] = {}  # since when, monotonic
        self._asking: dict[K, asyncio.Future[V]] = {}

    def known(self, key: K) -> V:
        """The answer, at most `seconds` old, or learnt since `warm` began. Or raises Cold."""
        known = self._known.get(key)
        if known is not None:
            since, answer = known
            if since > time.monotonic() - self._seconds or since >= _begun.get():
                return answer
        raise Cold(lambda: self.get(key))

    async def get(self, key: K) -> V:
        """A new answer. Raises what `load` raises; that isn't kept."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(key))
        return await asyncio.shield(asking)

    async def _ask(self, key: K) -> V:
        """Whoever sees this done finds the answer known."""
        try:
            answer = await in_thread(lambda: self._load(key))
        finally:
            del self._asking[key]
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[key] = (time.monotonic(), answer)
        return answer
