"""How do open browsers learn that something has changed? By a hint: flow and change number.

Hints are coalesced and sent by one thread a process. They may be lost: a live room reads rows by
change number, and looks by itself from time to time.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.04
GROUP = "hints"


class Hints:
    """Tells the live rooms of all web processes. `announce` never blocks and never raises."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}
        self._answered: list[str] = []
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def announce(self, flow_id: int, change: int) -> None:
        """The flow has committed up to `change`."""
        with self._wake:
            self._newest[flow_id] = max(change, self._newest.get(flow_id, 0))
            self._wake.notify()

    def answered(self, position: str) -> None:
        """The event at `position` has its answer: a caller may be waiting for it."""
        with self._wake:
            self._answered.append(position)
            self._wake.notify()

    def stop(self) -> None:
        """Send what is left and end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(2.0)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while True:
                with self._wake:
                    while not (self._newest or self._answered or self._stopping):
                        self._wake.wait()
                    if self._stopping and not (self._newest or self._answered):
                        return  # closing the runner's loop closes the layer's connections
                    newest, self._newest = self._newest, {}
                    answered, self._answered = self._answered, []
                runner.run(self._send(newest, answered))
                if newest:
                    runner.run(asyncio.sleep(_PAUSE_SECONDS))

    async def _send(self, newest: dict[int, int], answered: list[str]) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        message = {
            "type": "hint",
            "flows": {str(flow_id): change for flow_id, change in newest.items()},
            "answered": answered,
        }
        try:
            await layer.group_send(GROUP, message)
        except Exception as problem:  # Redis away: rooms look by themselves
            log.warning("hint not sent: %s", problem)


def _leave_if_cancelled() -> None:
    """channels_redis swallows a cancellation that comes while it connects; nobody asks twice, and
    the process would wait for its own end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def listen() -> AsyncIterator[dict[str, Any]]:
    """Hints as they come, for ever. Reconnects by itself; what came meanwhile is lost."""
    while True:
        layer = get_channel_layer()
        assert layer is not None
        try:
            name = await layer.new_channel()
            await layer.group_add(GROUP, name)
            _leave_if_cancelled()
            while True:
                yield await layer.receive(name)
        except asyncio.CancelledError:
            raise
        except Exception as problem:  # Redis away
            log.warning("hints are late: %s", problem)
            await asyncio.sleep(0.5)
