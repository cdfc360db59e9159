"""An HTTP server that remembers what it was asked and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.servers import wait_until


class Call(NamedTuple):
    path: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


Answer = tuple[int, dict[str, str], bytes]


class Stall:
    """As a sink's `answer`: lets everybody wait until `go_on` is set, then says that all is well.
    `calls` has those who have come so far."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.go_on = threading.Event()

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        self.go_on.wait(30)
        return (200, {}, b"ok")

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.calls) >= count, 30, f"{count} calls that wait")


class Sink:
    """`calls` has every request so far; `answer` decides what each gets (default: 200)."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Callable[[Call], Answer] = lambda call: (200, {}, b"ok")
        self.url = ""

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Call]:
        wait_until(lambda: len(self.calls) >= count, seconds, f"{count} calls at the sink")
        return self.calls

    def ids(self) -> list[str]:
        return [call.json["id"] for call in self.calls]


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink on a free loopback port."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the body comes 40 ms after the headers

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.path, headers, body)
            status, more, answer = sink.answer(call)
            sink.calls.append(call)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests look at `calls`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A caller that was killed in mid-request is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
