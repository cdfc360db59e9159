"""How do many browsers watch one flow? One reader for each flow and process, one frame for all.

A hint wakes the reader; without hints it looks every second. At most ten frames a second, with a
trailing one.
"""

import asyncio
import logging
from collections.abc import Callable

from asgiref.sync import sync_to_async

from workflows.live import frames
from workflows.storage import cursors, traces
from workflows.traces.hints import listen

log = logging.getLogger(__name__)

_FRAME_SECONDS = 0.1
_LOOK_SECONDS = 1.0

read = sync_to_async(thread_sensitive=False)


class Viewer:
    """A browser's end: frames not yet sent. One that falls too far behind is `lost`: its socket is
    closed, and the browser comes back with the change number that it has seen."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)
        self.lost = False

    def offer(self, frame: bytes) -> None:
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.lost = True


class Room:
    """The viewers of one flow in this process."""

    def __init__(self, flow_id: int, closed: Callable[[int], None]) -> None:
        self._flow_id, self._closed = flow_id, closed
        self._viewers: set[Viewer] = set()
        self._wake = asyncio.Event()
        self._change, self._lag = 0, 0
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._wake.set()

    async def join(self, viewer: Viewer, since: int) -> bytes:
        """Add a viewer; its first frame. What happens meanwhile is already in its queue."""
        if self._task is None:
            self._change = await read(traces.newest_change)(self._flow_id)
            self._task = asyncio.create_task(self._run())
        self._viewers.add(viewer)
        _, first = await read(frames.snapshot)(self._flow_id, since)
        return first

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._task is not None:
            self._task.cancel()
            self._task = None
            self._closed(self._flow_id)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._send()
            except Exception:
                log.exception("flow %d can't be read just now", self._flow_id)
                await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_FRAME_SECONDS)

    async def _send(self) -> None:
        lag = await read(cursors.lag_of_flow)(self._flow_id)
        newest = await read(traces.newest_change)(self._flow_id)
        if newest == self._change and lag == self._lag:
            return
        self._change, frame = await read(frames.update)(self._flow_id, self._change)
        self._lag = lag
        for viewer in list(self._viewers):
            viewer.offer(frame)


class Rooms:
    """All rooms of this process; hints are heard as long as there is one."""

    def __init__(self) -> None:
        self._rooms: dict[int, Room] = {}
        self._listening: asyncio.Task[None] | None = None

    def room(self, flow_id: int) -> Room:
        """The flow's room, made when it is missing."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        if flow_id not in self._rooms:
            self._rooms[flow_id] = Room(flow_id, self._close)
        return self._rooms[flow_id]

    def _close(self, flow_id: int) -> None:
        self._rooms.pop(flow_id, None)

    async def _listen(self) -> None:
        async for message in listen():
            for flow_id in message.get("flows", ()):
                room = self._rooms.get(int(flow_id))
                if room is not None:
                    room.wake()


rooms = Rooms()
