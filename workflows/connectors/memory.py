"""A world in memory, for tests and dry runs: remembers what it was asked, answers as told."""

from collections.abc import Callable
from typing import Any

from workflows.engine.effects import Reply


class MemoryConnector:
    """Answers each effect with `answer(effect, key)`; `calls` has them all, in order."""

    def __init__(self, answer: Callable[[Any, str], Reply] | None = None) -> None:
        self.calls: list[tuple[Any, str]] = []
        self._answer = answer or (lambda effect, key: Reply(ok=True, status=200))

    async def open(self) -> None:
        """Nothing to open."""

    async def perform(self, effect: Any, key: str) -> Reply:
        self.calls.append((effect, key))
        return self._answer(effect, key)

    async def close(self) -> None:
        """Nothing to close."""
