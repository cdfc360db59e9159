"""The short way of small requests: the answers of ASGI, in order, whatever comes between."""

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests import make
from tests.uvicorns import Answer, Client, Server
from workflows.ingest import protocol
from workflows.ingest.app import Doors
from workflows.ingest.protocol import DoorProtocol
from workflows.models import Event
from workflows.storage import channels
from workflows.storage import log as event_log

# Threads of their own keep connections, of which PostgreSQL wants the end; there the tests of the
# doors go this way.
pytestmark = [pytest.mark.sqlite_alone, pytest.mark.django_db(transaction=True)]

_EVENTS = "/api/v1/events?channel=orders"
_TRIGGER = "/api/v1/flows/door/trigger"


def _event(event_id: str) -> str:
    return json.dumps({"specversion": "1.0", "id": event_id, "source": "/shop", "type": "T"})


_GOOD = _event("a")


@pytest.fixture
def token() -> str:
    channels.create(make.workspace().pk, "orders")
    make.published(make.order_document("door"))
    return make.token(None, "events:write")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, token: str) -> Server:
    """Its caches know what a good request asks."""
    return _warmed(monkeypatch, token)


def _warmed(monkeypatch: pytest.MonkeyPatch, token: str, access_log: bool = False) -> Server:
    doors = Doors()
    monkeypatch.setattr(protocol, "doors", doors)
    server = Server(doors, DoorProtocol, access_log)
    for path in (_EVENTS, _TRIGGER):
        assert [one.status for one in server.ask(_request(token, _GOOD, path))] == [202]
    server.by_asgi = 0
    return server


def _request(token: str, body: str, path: str = _EVENTS, *fields: str, http: str = "1.1") -> bytes:
    chunked = any("chunked" in field for field in fields)
    lines = [
        f"POST {path} HTTP/{http}",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        f"Content-Type: application/{'json' if 'events' in path else 'cloudevents+json'}",
        *(() if chunked else (f"Content-Length: {len(body)}",)),
        *fields,
    ]
    sent = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if chunked else body
    return ("\r\n".join(lines) + "\r\n\r\n" + sent).encode()


def _stored() -> set[str]:
    return set(Event.objects.values_list("event_id", flat=True))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (_GOOD, _EVENTS),
        (f'[{_GOOD}, {{"id": 7}}]', _EVENTS),
        (f'[{_GOOD}, {{"id": 7}}]', f"{_EVENTS}&atomic=1"),
        ("{", _EVENTS),
        ("", _EVENTS),
        (_GOOD, "/api/v1/events"),
        (_GOOD, "/api/v1/events?channel=else"),
        (_GOOD, f"{_EVENTS}&colour=red"),
        (_GOOD, _TRIGGER),
        (_GOOD, f"{_TRIGGER}?node=nobody"),
        (_GOOD, "/api/v1/flows/else/trigger"),
        (_GOOD, "/api/v1/flows/d%6For/trigger?wait=for%20ever"),
    ],
)
def test_answers_are_those_of_asgi(server: Server, token: str, body: str, path: str) -> None:
    request = _request(token, body, path)
    server.ask(request)  # stored and known from here on
    by_asgi = server.by_asgi
    short = server.ask(request)
    assert server.by_asgi == by_asgi
    assert short == Server(Doors(), HttpToolsProtocol).ask(request)


@pytest.mark.parametrize(("scope", "status"), [("events:write", 202), ("flows:read", 403)])
def test_a_token_opens_what_it_is_for(server: Server, scope: str, status: int) -> None:
    request = _request(make.token(None, scope), _GOOD)
    answers = server.ask(request, request)
    assert [one.status for one in answers] == [status, status]
    assert server.by_asgi == 1  # to learn what the token is for
    assert server.ask(_request("ef_nobodys", _GOOD))[0].status == 401


@pytest.mark.parametrize(
    ("fields", "access_log", "by_asgi"),
    [
        ((), False, 0),
        ((), True, 1),
        (("Transfer-Encoding: chunked",), False, 1),
        (("Expect: 100-continue",), False, 1),
    ],
)
def test_what_the_short_way_is_not_made_for_goes_by_asgi(
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    fields: tuple[str, ...],
    access_log: bool,
    by_asgi: int,
) -> None:
    server = _warmed(monkeypatch, token, access_log)

    async def script(client: Client) -> Answer:
        await client.send(_request(token, _event("b"), _EVENTS, *fields))
        answer = await client.answer()
        return answer if answer.status != 100 else await client.answer()

    assert server.talk(script).status == 202
    assert server.by_asgi == by_asgi
    assert _stored() == {"a", "b"}


def test_large_bodies_and_waits_for_a_reply_go_by_asgi(server: Server, token: str) -> None:
    large = json.dumps({"id": "b", "type": "T", "data": "x" * HIGH_WATER_LIMIT})
    waiting = _request(token, _event("c"), f"{_TRIGGER}?wait=0.01")
    assert [one.status for one in server.ask(_request(token, large), waiting)] == [202, 202]
    assert server.by_asgi == 2
    assert _stored() == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("fields", "http"), [(("Connection: close",), "1.1"), ((), "1.0"), (("Connection: x",), "1.0")]
)
def test_a_connection_ends_where_it_should(
    server: Server, token: str, fields: tuple[str, ...], http: str
) -> None:
    async def script(client: Client) -> tuple[Answer, bytes]:
        await client.send(_request(token, _event("b"), _EVENTS, *fields, http=http))
        return await client.answer(), await client.reader.read()

    answer, rest = server.talk(script)
    assert (answer.status, rest, server.by_asgi) == (202, b"", 0)
    assert "connection: close" in answer.fields


def test_a_server_that_stops_answers_first(server: Server, token: str) -> None:
    async def script(client: Client) -> tuple[Answer, bytes]:
        request = _request(token, _event("b"))
        await client.send(request[:-5])
        client.served_by.shutdown()
        await client.send(request[-5:])
        return await client.answer(), await client.reader.read()

    answer, rest = server.talk(script)
    assert (answer.status, rest, server.by_asgi) == (202, b"", 0)
    assert "connection: close" in answer.fields


_PARTS: Sequence[tuple[str, str, tuple[str, ...], int]] = [
    ("good", _EVENTS, (), 202),
    ("good", _TRIGGER, (), 202),
    ("good", f"{_TRIGGER}?wait=0.001", (), 202),
    ("good", _EVENTS, ("Transfer-Encoding: chunked",), 202),
    ("{", _EVENTS, (), 400),
    ("good", "/api/v1/events?channel=else", (), 404),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    parts=st.lists(st.sampled_from(_PARTS), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 1_500), max_size=6),
    together=st.booleans(),
)
def test_requests_in_any_pieces_are_answered_each_and_in_their_order(
    server: Server,
    token: str,
    parts: list[tuple[str, str, tuple[str, ...], int]],
    cuts: list[int],
    together: bool,
) -> None:
    stream = b"".join(
        _request(token, _event(f"e{i}") if body == "good" else body, path, *fields)
        for i, (body, path, fields, _) in enumerate(parts)
    )
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[i:j] for i, j in itertools.pairwise(places)]

    async def script(client: Client) -> list[Answer]:
        await client.send(*([stream] if together else pieces))
        return [await client.answer() for _ in parts]

    answers = server.talk(script)
    assert [one.status for one in answers] == [status for _, _, _, status in parts]
    ids = [json.loads(one.body)["events"][0]["id"] for one in answers if one.status == 202]
    assert ids == [f"e{i}" for i, part in enumerate(parts) if part[3] == 202]


def test_a_sender_who_has_gone_harms_nobody(server: Server, token: str) -> None:
    async def leave(client: Client, request: bytes) -> None:
        await client.send(request)
        client.writer.close()

    async def script(client: Client) -> Answer:
        await leave(client, _request(token, _event("b")))
        await leave(await server.connect(), _request(token, _event("c"))[:-5])
        last = await server.connect()
        await last.send(_request(token, _event("d")))
        answer = await last.answer()
        last.writer.close()
        return answer

    assert server.talk(script).status == 202
    assert server.by_asgi == 0
    assert _stored() == {"a", "b", "d"}


def test_what_could_not_be_stored_is_said(
    server: Server,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(event_log, "append_at_once", fails)
        patched.setattr(event_log, "append", fails)
        [answer] = server.ask(_request(token, _event("b")))
    assert (answer.status, server.by_asgi) == (503, 0)
    assert "none was accepted" in json.loads(answer.body)["detail"]
    assert "the disk is gone" in caplog.text
    assert [one.status for one in server.ask(_request(token, _event("b")))] == [202]
