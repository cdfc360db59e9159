"""Who may watch a flow, and for how long? Checked at the door and every few seconds after."""

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from workflows.live.room import Room, Viewer, read, rooms
from workflows.storage import flowrows, people

_CHECK_SECONDS = 20.0
FORBIDDEN = 4403
BEHIND = 4408


class FlowConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws/{workspace}/flows/{slug}?since=change`: frames of one flow, for its members."""

    room: Room | None = None

    async def connect(self) -> None:
        kwargs = self.scope["url_route"]["kwargs"]
        self.workspace_id = await read(people.workspace_id_of)(kwargs["workspace"])
        flow_id = None
        if self.workspace_id is not None and await self._may_watch():
            flow_id = await read(flowrows.flow_id_of)(self.workspace_id, kwargs["slug"])
        await self.accept()
        if flow_id is None:
            await self.close(FORBIDDEN)
            return
        self.viewer = Viewer()
        self.room = rooms.room(flow_id)
        first = await self.room.join(self.viewer, self._since())
        await self.send(text_data=first.decode())
        self.sender = asyncio.create_task(self._send_frames())

    def _since(self) -> int:
        text = parse_qs(self.scope["query_string"].decode("latin-1")).get("since", ["0"])[0]
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    async def _may_watch(self) -> bool:
        assert self.workspace_id is not None
        # Read anew each time: what the connection began with may have ended since.
        session_key = getattr(self.scope.get("session"), "session_key", None)
        user_id = await read(people.logged_in)(session_key)
        return await read(people.role_of)(user_id, self.workspace_id) is not None

    async def _send_frames(self) -> None:
        checked = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(_CHECK_SECONDS / 2):
                    frame = await self.viewer.frames.get()
                await self.send(text_data=frame.decode())
            except TimeoutError:
                pass
            if self.viewer.lost:
                await self.close(BEHIND)
                return
            if time.monotonic() - checked > _CHECK_SECONDS:
                checked = time.monotonic()
                if not await self._may_watch():
                    await self.close(FORBIDDEN)
                    return

    async def disconnect(self, code: int) -> None:
        if self.room is not None:
            self.room.leave(self.viewer)
            self.sender.cancel()

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        """Browsers have nothing to say here; what they send is ignored."""
