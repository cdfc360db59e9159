"""One event, door to door."""

import json
from http.cookies import SimpleCookie

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from websockets.sync.client import ClientConnection, connect

from tests import make
from tests.accounting import assert_balanced
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Flow, Membership, Trace

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def _flow(sink: Sink, slug: str) -> Flow:
    consumer = ("call", "consumer.http", {"url": f"{sink.url}/orders"})
    return make.published(make.order_document(slug, consumer))


def _session(name: str) -> str:
    """The session cookie of a new viewer of main."""
    user = get_user_model().objects.create_user(name, password="a long password")
    Membership.objects.create(workspace=make.workspace(), user=user, role="viewer")
    client = Client()
    client.force_login(user)
    cookies: SimpleCookie = client.cookies
    return f"sessionid={cookies['sessionid'].value}"


def _watch(stack: Stack, path: str, cookie: str, origin: str | None = None) -> ClientConnection:
    headers = {"Cookie": cookie, "Origin": origin or stack.base_url}
    return connect(
        stack.base_url.replace("http", "ws") + path,
        additional_headers=headers,
        open_timeout=10,
    )


def test_an_event_walks_from_a_post_to_a_call_and_into_an_open_browser(
    installation: Stack, sink: Sink
) -> None:
    flow = _flow(sink, "walked")
    cookie = _session("mary")
    with _watch(installation, "/ws/main/flows/walked", cookie) as socket:
        first = json.loads(socket.recv(10))
        assert (first["kind"], first["rows"]) == ("snapshot", [])
        status, answer = make.post(
            f"{installation.base_url}/api/v1/flows/walked/trigger",
            {"id": "order-1", "data": {"amount": 150}},
            make.token(None, "events:write"),
        )
        assert status == 202, answer
        assert (answer["accepted"], answer["duplicates"]) == (1, 0)
        (call,) = sink.wait_for(1)
        assert call.json["data"]["total_with_vat"] == 180.0
        row = None
        while row is None or row["state"] != "ok":
            frame = json.loads(socket.recv(10))
            row = next((row for row in frame["rows"] if row["change"]), row)
        assert row["path"] == ["in", "big", "vat", "call"]
        assert frame["totals"]["wires"]["vat:out"] == 1
        assert frame["totals"]["nodes"]["call"]["delivered"] == 1
    assert_balanced(flow)


def test_a_reconnected_browser_gets_what_it_missed_and_nothing_twice(
    installation: Stack, sink: Sink
) -> None:
    flow = _flow(sink, "missed")
    cookie, token = _session("grace"), make.token(None, "events:write")
    url = f"{installation.base_url}/api/v1/flows/missed/trigger"
    seen: dict[str, int] = {}

    def follow(socket: ClientConnection, until: int) -> int:
        change = 0
        while sum(name.startswith("ok") for name in seen) < until:
            frame = json.loads(socket.recv(10))
            change = frame["change"]
            for row in frame["rows"]:
                if row["change"] and row["state"] == "ok":
                    name = f"ok {row['event_id']}"
                    assert seen.get(name, 0) < row["change"], "a row came twice"
                    seen[name] = row["change"]
        return change

    with _watch(installation, "/ws/main/flows/missed", cookie) as socket:
        make.post(url, {"id": "a", "data": {"amount": 150}}, token)
        change = follow(socket, 1)
    for name in "bcd":  # nobody is watching
        make.post(url, {"id": name, "data": {"amount": 150}}, token)
    wait_until(lambda: Trace.objects.filter(flow=flow, state="ok").count() == 4)
    with _watch(installation, f"/ws/main/flows/missed?since={change}", cookie) as socket:
        follow(socket, 4)
    assert sorted(seen) == ["ok a", "ok b", "ok c", "ok d"]


def test_a_stranger_and_a_foreign_page_see_nothing(installation: Stack, sink: Sink) -> None:
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    _flow(sink, "guarded")
    cookie = _session("joan")
    with pytest.raises(InvalidStatus):
        _watch(installation, "/ws/main/flows/guarded", cookie, origin="https://evil.example")
    for path, with_cookie in (
        ("/ws/main/flows/guarded", "sessionid=none"),
        ("/ws/main/flows/nothing", cookie),
        ("/ws/other/flows/guarded", cookie),
    ):
        with (
            _watch(installation, path, with_cookie) as socket,
            pytest.raises(ConnectionClosed) as closed,
        ):
            socket.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


def test_a_caller_that_waits_gets_the_flows_reply(installation: Stack) -> None:
    make.published(
        make.document(
            "vat",
            [
                ("in", "producer.http", {}),
                ("sum", "filter.transform", {"set": {"data.vat": "event.data.amount * 0.2"}}),
                ("say", "consumer.reply", {"status": 201}),
            ],
            ["in:out sum", "sum:out say"],
        )
    )
    url = f"{installation.base_url}/api/v1/flows/vat/trigger"
    token = make.token(None, "events:write")
    status, answer = make.post(f"{url}?wait=10", {"amount": 100}, token)
    assert status == 201
    assert answer["vat"] == 20.0
    status, answer = make.post(f"{url}?wait=10", {"amounts": 100}, token)  # fails: no amount
    assert status == 202
    assert answer["accepted"] == 1


def test_a_repeat_is_accepted_once(installation: Stack, sink: Sink) -> None:
    flow = _flow(sink, "repeated")
    url = f"{installation.base_url}/api/v1/flows/repeated/trigger"
    token = make.token(None, "events:write")
    event = {"id": "a", "source": "/shop", "type": "OrderCreated", "data": {"amount": 150}}
    first = make.post(url, event, token)
    second = make.post(url, event, token)
    assert (first[0], second[0]) == (202, 202)
    assert (second[1]["accepted"], second[1]["duplicates"]) == (0, 1)
    assert first[1]["events"][0]["trace_url"] == second[1]["events"][0]["trace_url"]
    wait_until(lambda: Trace.objects.filter(flow=flow, state="ok").count() == 1)
    assert len(sink.calls) == 1
