"""uvicorn within a test's own process, and a client that looks at each byte."""

import asyncio
import re
import socket
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

T = TypeVar("T")
_PATIENCE = 10.0  # seconds; an answer that never comes would be waited for for ever
_LENGTH = re.compile(r"content-length: (\d+)")


class Answer(NamedTuple):
    status: int
    fields: str
    body: str


class Client(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served_by: HttpToolsProtocol

    async def send(self, *pieces: bytes) -> None:
        """The server may read each piece by itself."""
        for piece in pieces:
            self.writer.write(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    async def answer(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        line, _, fields = head.partition("\r\n")
        length = _LENGTH.search(fields)
        body = await self.reader.readexactly(int(length[1]) if length else 0)
        return Answer(int(line.split()[1]), fields, body.decode())


class Server:
    """Serves an ASGI application, and counts what reaches that."""

    def __init__(
        self, app: Any, protocol: type[HttpToolsProtocol], access_log: bool = False
    ) -> None:
        self.by_asgi = 0
        self._app, self._protocol, self._access_log = app, protocol, access_log
        self._config = Config(self._counted, interface="asgi3", lifespan="off", log_config=None)
        self._config.load()

    async def _counted(self, scope: Any, receive: Any, send: Any) -> None:
        self.by_asgi += 1
        await self._app(scope, receive, send)

    async def connect(self) -> Client:
        client, server = socket.socketpair()
        served_by = self._protocol(self._config, ServerState(), {})
        served_by.access_log = self._access_log  # uvicorn's choice is undone by pytest's handlers
        await asyncio.get_running_loop().connect_accepted_socket(lambda: served_by, server)
        reader, writer = await asyncio.open_connection(sock=client)
        return Client(reader, writer, served_by)

    def talk(self, script: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Run it with a new connection."""

        async def talk() -> T:
            client = await self.connect()
            async with asyncio.timeout(_PATIENCE):
                try:
                    return await script(client)
                finally:
                    client.writer.close()

        return asyncio.run(talk())

    def ask(self, *requests: bytes) -> list[Answer]:
        """One after the other, by one connection."""

        async def script(client: Client) -> list[Answer]:
            answers = []
            for one in requests:
                await client.send(one)
                answers.append(await client.answer())
            return answers

        return self.talk(script)
