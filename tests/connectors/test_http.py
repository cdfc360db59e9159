"""HTTP effects against a real server: keep-alive, bounds, time-outs, redirects and the guard."""

import asyncio
import contextvars
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sink import Answer, Call, Sink, running_sink
from workflows.connectors.base import Start, TooLate, start
from workflows.connectors.guard import parse_networks
from workflows.connectors.http import RESPONSE_LIMIT, HttpConnector
from workflows.engine.effects import HttpRequest, Reply

LOOPBACK = parse_networks(["127.0.0.0/8"])


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server


def _perform(request: HttpRequest, allowed: Any = LOOPBACK, key: str = "k1") -> Reply:
    async def run() -> Reply:
        connector = HttpConnector(allowed)
        await connector.open()
        try:
            return await connector.perform(request, key)
        finally:
            await connector.close()

    return asyncio.run(run())


def test_a_request_arrives_as_it_was_described(sink: Sink) -> None:
    reply = _perform(
        HttpRequest(method="POST", url=f"{sink.url}/a", headers={"X-One": "1"}, body="päyload")
    )
    assert (reply.ok, reply.status, reply.body) == (True, 200, "ok")
    (call,) = sink.calls
    assert (call.path, call.headers["x-one"], call.body) == ("/a", "1", "päyload".encode())
    assert call.headers["idempotency-key"] == "k1"


def test_a_flows_own_idempotency_key_is_kept(sink: Sink) -> None:
    _perform(HttpRequest(method="POST", url=sink.url, headers={"Idempotency-Key": "mine"}))
    assert sink.calls[0].key == "mine"


def test_an_error_status_is_an_answer(sink: Sink) -> None:
    sink.answer = lambda call: (503, {"Retry-After": "7"}, b"busy")
    reply = _perform(HttpRequest(method="POST", url=sink.url))
    assert (reply.ok, reply.status, reply.body) == (True, 503, "busy")
    assert reply.headers["retry-after"] == "7"


def test_a_slow_server_is_given_up_on_in_time(sink: Sink) -> None:
    sink.answer = lambda call: (time.sleep(2), (200, {}, b""))[1]  # longer than is waited
    begun = time.monotonic()
    reply = _perform(HttpRequest(method="POST", url=sink.url, timeout_seconds=0.2))
    assert (reply.ok, reply.error) == (False, "timeout")
    assert time.monotonic() - begun < 1.5


def test_a_huge_answer_is_cut(sink: Sink) -> None:
    sink.answer = lambda call: (200, {}, b"x" * 5_000_000)
    reply = _perform(HttpRequest(method="POST", url=sink.url))
    assert reply.ok
    assert len(reply.body) == RESPONSE_LIMIT


def test_a_closed_port_is_a_connection_error(sink: Sink) -> None:
    reply = _perform(HttpRequest(method="POST", url="http://127.0.0.1:1/"))
    assert (reply.ok, reply.error) == (False, "connection")
    assert reply.message == "Cannot reach http://127.0.0.1:1/: Connection refused"


def test_a_name_that_nobody_has_is_said_to_be_unknown(sink: Sink) -> None:
    reply = _perform(HttpRequest(method="POST", url="http://nowhere.invalid/"))
    assert (reply.ok, reply.error) == (False, "connection")
    assert reply.message.startswith("Cannot reach http://nowhere.invalid/: ")
    assert "ssl" not in reply.message


@pytest.mark.parametrize("url", ["ftp://example.org/", "http://", "nonsense", "http://[::1"])
def test_what_is_no_http_address_is_invalid(url: str) -> None:
    reply = _perform(HttpRequest(method="POST", url=url))
    assert not reply.ok
    assert reply.error in ("invalid", "connection")


def test_a_header_with_a_line_break_is_refused(sink: Sink) -> None:
    reply = _perform(HttpRequest(method="POST", url=sink.url, headers={"X": "a\r\nY: b"}))
    assert (reply.ok, reply.error) == (False, "invalid")
    assert sink.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"])
def test_private_addresses_are_refused_under_every_name(sink: Sink, host: str) -> None:
    port = sink.url.rsplit(":", 1)[1]
    reply = _perform(HttpRequest(method="POST", url=f"http://{host}:{port}/"), allowed=())
    assert not reply.ok
    assert reply.error in ("refused", "invalid")
    assert sink.calls == []


def test_a_redirect_to_a_private_address_is_refused(sink: Sink) -> None:
    """The first address is allowed, the one it leads to isn't."""
    port = sink.url.rsplit(":", 1)[1]
    sink.answer = lambda call: (
        (307, {"Location": f"http://127.0.0.2:{port}/secret"}, b"")
        if call.path == "/"
        else (200, {}, b"secret")
    )
    only = parse_networks(["127.0.0.1/32"])
    reply = _perform(HttpRequest(method="POST", url=f"{sink.url}/"), allowed=only)
    assert (reply.ok, reply.error) == (False, "refused")
    assert [call.path for call in sink.calls] == ["/"]


def test_a_circle_of_redirects_ends(sink: Sink) -> None:
    sink.answer = lambda call: (307, {"Location": f"{sink.url}/again"}, b"")
    reply = _perform(HttpRequest(method="POST", url=sink.url))
    assert not reply.ok
    assert len(sink.calls) <= 7


def _perform_before(moment: float, request: HttpRequest) -> Reply:
    context = contextvars.copy_context()
    context.run(start.set, Start(moment))
    return context.run(_perform, request)


def test_a_call_whose_time_to_begin_is_over_when_it_is_to_go_out_does_not(sink: Sink) -> None:
    with pytest.raises(TooLate):
        _perform_before(
            time.monotonic() - 0.001, HttpRequest(method="POST", url=sink.url, body="x")
        )
    assert sink.calls == []


def test_a_call_that_has_begun_in_time_follows_a_redirect_later(sink: Sink) -> None:
    def answer(call: Call) -> Answer:
        if call.path == "/b":
            return (200, {}, b"there")
        time.sleep(0.6)  # until it would be too late to begin
        return (307, {"Location": f"{sink.url}/b"}, b"")

    sink.answer = answer
    request = HttpRequest(method="POST", url=f"{sink.url}/a", body="x")
    reply = _perform_before(time.monotonic() + 0.5, request)
    assert reply.body == "there"
