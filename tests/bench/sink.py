"""Where the flows' calls end: counts events, finds repeats, takes latencies from their `time`.

`python -m tests.bench.sink PORT`. GET / tells; POST /reset forgets; any other POST is a call.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import cast

import uvloop

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Tally:
    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.repeats = self.wrong = 0
        self.milliseconds: list[float] = []
        self.last = 0.0

    def add(self, event: dict[str, object], now: float) -> None:
        event_id, data = str(event["id"]), event["data"]
        assert isinstance(data, dict)
        if abs(data.get("total_with_vat", 0) - data["amount"] * 1.2) > 1e-6:
            self.wrong += 1
        if event_id in self.ids:
            self.repeats += 1
            return
        self.ids.add(event_id)
        sent = datetime.fromisoformat(str(event["time"])).timestamp()
        self.milliseconds.append((now - sent) * 1000)
        self.last = now

    def as_json(self) -> bytes:
        return json.dumps(
            {
                "count": len(self.ids),
                "repeats": self.repeats,
                "wrong": self.wrong,
                "last": self.last,
                "milliseconds": self.milliseconds,
            }
        ).encode()


tally = Tally()


class Protocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(self.answer(head, body))

    def answer(self, head: bytes, body: bytes) -> bytes:
        global tally
        if head.startswith(b"get"):
            told = tally.as_json()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)
        if head.startswith(b"post /reset"):
            tally = Tally()
        else:
            tally.add(json.loads(body), time.time())
        return _OK


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
