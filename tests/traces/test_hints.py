"""Hints between processes: whoever listens can be stopped."""

import asyncio
import contextlib

import pytest

from workflows.traces import hints


class _Swallowing:
    """A layer that swallows a cancellation while it connects, as that of channels_redis may."""

    async def new_channel(self) -> str:
        return "one"

    async def group_add(self, group: str, name: str) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)

    async def receive(self, name: str) -> None:
        await asyncio.sleep(10)


def test_who_is_cancelled_while_connecting_listens_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hints, "get_channel_layer", _Swallowing)

    async def listen_and_leave() -> bool:
        listening = asyncio.ensure_future(anext(hints.listen()))
        await asyncio.sleep(0)  # it connects now
        listening.cancel()
        await asyncio.wait([listening], timeout=5)
        return listening.cancelled()

    assert asyncio.run(listen_and_leave())
