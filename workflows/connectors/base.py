"""What is a connector? Something that performs one kind of effect and brings the reply back."""

from typing import Any, Protocol

from workflows.engine.effects import Reply


class Connector(Protocol):
    """Performs effects of one kind, many at a time, on the loop that `open` was called on."""

    async def open(self) -> None: ...

    async def perform(self, effect: Any, key: str) -> Reply:
        """Do it once, under the idempotency key. Whatever goes wrong comes back as a Reply;
        only cancellation is raised. Ends within the effect's time-out."""

    async def close(self) -> None: ...
