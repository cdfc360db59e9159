"""What is a connector? Something that performs one kind of effect and brings the reply back."""

import math
import time
from contextvars import ContextVar
from typing import Any, Protocol

from workflows.engine.effects import Reply


class TooLate(Exception):
    """Nothing was sent: the process was stopped for a while, and somebody else may have gone on."""


class Start:
    """Until which monotonic moment a call may begin."""

    def __init__(self, before: float) -> None:
        self._before = before

    def is_too_late(self) -> bool:
        """To be asked when the first byte is to go out; once it may, so may all that follow."""
        if time.monotonic() > self._before:
            return True
        self._before = math.inf
        return False


start: ContextVar[Start | None] = ContextVar("start", default=None)  # of the running task's call


class Connector(Protocol):
    """Performs effects of one kind, many at a time, on the loop that `open` was called on."""

    async def open(self) -> None: ...

    async def perform(self, effect: Any, key: str) -> Reply:
        """Do it once, under the idempotency key. Whatever goes wrong comes back as a Reply;
        only cancellation is raised, and TooLate. Ends within the effect's time-out."""

    async def close(self) -> None: ...
