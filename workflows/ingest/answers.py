"""How does a caller wait for the flow's reply? Woken by a hint; otherwise it looks by itself."""

import asyncio
import time
from typing import Any

from workflows.ingest.cache import in_thread
from workflows.storage import doors
from workflows.storage.log import Position
from workflows.traces.hints import listen

_LOOK_SECONDS = 0.25


class Answers:
    """The callers of this process that wait. Listens for hints from the first one on."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def wait(
        self, place: Position, subscription_id: int, seconds: float
    ) -> dict[str, Any] | None:
        """The reply to the event there (status, headers, body); None when the time is over or the
        trace ended without one."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        name = f"{place.channel_id}-{place.partition}-{place.offset}"
        woken = asyncio.Event()
        self._waiting.setdefault(name, []).append(woken)
        where = (place.partition, place.offset)
        deadline = time.monotonic() + seconds
        try:
            while True:
                woken.clear()
                state = await in_thread(lambda: doors.state_of(subscription_id, *where))
                found = await in_thread(lambda: doors.answer_of(place.channel_id, *where))
                left = deadline - time.monotonic()
                if found is not None or left <= 0 or state not in (None, "running"):
                    return found
                try:
                    async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                        await woken.wait()
                except TimeoutError:
                    continue
        finally:
            self._waiting[name].remove(woken)
            if not self._waiting[name]:
                del self._waiting[name]

    async def _listen(self) -> None:
        async for message in listen():
            for name in message.get("answered", ()):
                for woken in self._waiting.get(name, ()):
                    woken.set()
