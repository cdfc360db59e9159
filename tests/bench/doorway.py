"""What do requests that come in together cost a server's event loop? uvicorn within this process.

Real sockets, real parsing, real answers; only the client's own work is left out of the time.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


class Doorway:
    """Serves an ASGI application on so many connections. Make it within a running loop."""

    def __init__(self, app: Any) -> None:
        self._inner = app
        self._left = 0
        self._done = asyncio.Event()
        self._clients: list[socket.socket] = []
        self._config = Config(
            self._app,
            interface="asgi3",
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self._config.load()
        self._state = ServerState()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await self._inner(scope, receive, send)
        self._left -= 1
        if not self._left:
            self._done.set()

    async def open(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self._clients) < connections:
            client, server = socket.socketpair()
            self._clients.append(client)
            await loop.connect_accepted_socket(
                lambda: HttpToolsProtocol(self._config, self._state, {}), server
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


def request(path: str, body: str, token: str) -> bytes:
    """As `tests.bench.load` sends it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the body and says yes: what is left is the server's own work."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
