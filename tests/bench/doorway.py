"""What do requests that come in together cost a server's event loop? uvicorn within this process.

Real sockets, real parsing, real answers; only the client's own work is left out of the time.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


class Doorway:
    """Serves an ASGI application on so many connections, or does without it where a protocol knows
    how. Make it within a running loop."""

    def __init__(self, app: Any, protocol: type[HttpToolsProtocol]) -> None:
        self._left = 0
        self._done = asyncio.Event()
        self._clients: list[socket.socket] = []
        self._config = Config(
            app, interface="asgi3", lifespan="off", log_config=None, access_log=False
        )
        self._config.load()
        self._state = ServerState()
        self._protocol = _that_tells(protocol, self._answered)

    def _answered(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.set()

    async def open(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self._clients) < connections:
            client, server = socket.socketpair()
            self._clients.append(client)
            await loop.connect_accepted_socket(
                lambda: self._protocol(self._config, self._state, {}), server
            )

    async def serve(self, requests: Sequence[bytes]) -> float:
        """Send one request by each connection; the loop's seconds of processor until all
        are answered."""
        self._left = len(requests)
        self._done.clear()
        for client, request in zip(self._clients, requests, strict=False):
            client.sendall(request)
        begun = time.thread_time()
        async with asyncio.timeout(10):
            await self._done.wait()
        seconds = time.thread_time() - begun
        for client, _ in zip(self._clients, requests, strict=False):
            status = client.recv(65_536)[9:12]
            assert status.startswith(b"20"), status
        return seconds

    def close(self) -> None:
        for client in self._clients:
            client.close()


def _that_tells(
    protocol: type[HttpToolsProtocol], answered: Callable[[], None]
) -> type[HttpToolsProtocol]:
    class Telling(protocol):  # type: ignore[misc, valid-type]
        def on_response_complete(self) -> None:
            super().on_response_complete()
            answered()

    return Telling


def request(path: str, body: str, token: str) -> bytes:
    """As `tests.bench.load` sends it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
