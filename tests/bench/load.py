"""How fast does a server take events? Raw HTTP/1.1 over kept connections, closed or open loop.

In the open loop each event is sent when it is due, by another connection if need be: so a server
that stalls can't hide it (no coordinated omission). Its `time` is the moment at which it was sent.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, cast

Body = Callable[[int, str], str]  # number and time of an event -> its JSON


class Target(NamedTuple):
    """Where events are sent: to one path, or to `paths` in turn."""

    port: int
    path: str
    token: str = ""
    paths: tuple[str, ...] = ()


class Load(NamedTuple):
    """What a run did."""

    accepted: int
    refused: int
    seconds: float
    started: float  # Unix seconds


def order(prefix: str) -> Body:
    """Orders of which every other one is over 100; about 250 bytes each."""

    def render(n: int, stamp: str) -> str:
        amount = 101.5 + n % 400 if n % 2 else 1.5 + n % 90
        return (
            f'{{"id":"{prefix}-{n}","source":"/bench","type":"OrderCreated","time":"{stamp}",'
            f'"data":{{"order_id":{n},"customer":"c-{n % 1000}","amount":{amount},'
            '"currency":"EUR","items":[{"sku":"a","qty":1,"price":10.5},'
            '{"sku":"b","qty":2,"price":3.25}]}}'
        )

    return render


class _Connection(asyncio.Protocol):
    """One request at a time; `ask` gives the status."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, problem: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed"))

    def ask(self, request: bytes) -> "asyncio.Future[int]":
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if at < 0 and b"chunked" in head and not self._buffer.endswith(b"0\r\n\r\n"):
            return
        if len(self._buffer) < end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        answer, self._answer = self._answer, None
        answer.set_result(status)


def _stamp() -> str:
    return datetime.now(UTC).isoformat()


class _Run:
    def __init__(self, target: Target, body: Body, batch: int) -> None:
        token = f"Authorization: Bearer {target.token}\r\n" if target.token else ""
        self._heads = [
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n{token}"
            "Content-Type: application/json\r\nContent-Length: "
            for path in target.paths or (target.path,)
        ]
        self._target, self._body, self.batch = target, body, batch
        self.accepted = self.refused = 0

    async def connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._target.port)
        return connection

    def request(self, first: int, count: int) -> bytes:
        stamp = _stamp()
        events = [self._body(first + i, stamp) for i in range(count)]
        body = "[" + ",".join(events) + "]" if self.batch else events[0]
        head = self._heads[first % len(self._heads)]
        return f"{head}{len(body)}\r\n\r\n{body}".encode()

    async def send(self, connection: _Connection, first: int, count: int) -> None:
        status = await connection.ask(self.request(first, count))
        if 200 <= status < 300:
            self.accepted += count
        else:
            self.refused += count


async def closed_loop(
    target: Target, body: Body, events: int, connections: int, batch: int = 0
) -> Load:
    """Each connection sends its next request when the last was answered."""
    run = _Run(target, body, batch)
    numbers = deque(range(0, events, max(1, batch)))

    async def work() -> None:
        connection = await run.connect()
        while numbers:
            first = numbers.popleft()
            count = min(max(1, batch), events - first)
            await run.send(connection, first, count)
        connection.transport.close()

    started, begun = time.time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    seconds = time.perf_counter() - begun
    return Load(run.accepted, run.refused, seconds, started)


async def open_loop(target: Target, body: Body, rate: float, seconds: float) -> Load:
    """Requests at a fixed rate, whether the earlier ones were answered or not."""
    run = _Run(target, body, 0)
    free: deque[_Connection] = deque()
    tasks: set[asyncio.Task[None]] = set()

    async def one(n: int) -> None:
        connection = free.popleft() if free else await run.connect()
        await run.send(connection, n, 1)
        free.append(connection)

    started, begun = time.time(), time.perf_counter()
    for n in range(int(rate * seconds)):
        due = begun + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(n))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for connection in free:
        connection.transport.close()
    taken = time.perf_counter() - begun
    return Load(run.accepted, run.refused, taken, started)
