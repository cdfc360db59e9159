"""The doors over HTTP: what they accept, what they refuse and how they say it."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import transaction

from tests import make
from tests.servers import Stack, wait_until
from workflows.management.installation import answers_healthy
from workflows.models import Connection, Event, Hook, Rejected
from workflows.storage import channeledits, channels, people, sql
from workflows.storage.seal import seal

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def doors(web_alone: Stack) -> Stack:
    return web_alone


def _channel(slug: str = "orders") -> None:
    channels.create(make.workspace().pk, slug)


def test_events_are_accepted_repeated_and_partly_refused(doors: Stack) -> None:
    _channel()
    url = f"{doors.base_url}/api/v1/events?channel=orders"
    token = make.token(None, "events:write")
    good = {"id": "a", "source": "/shop", "type": "T", "data": {"x": 1}}
    status, answer = make.post(url, good, token)
    assert status == 202
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    status, answer = make.post(url, [good, {"id": "b", "type": "T"}], token)
    assert status == 202
    assert [one["duplicate"] for one in answer["events"]] == [True, False]
    mixed = [{"id": "c", "type": "T"}, {"id": 7}, {"id": "d", "type": "T"}]
    status, answer = make.post(url, mixed, token)
    assert status == 207
    assert answer["accepted"] == 2
    assert answer["events"][1]["problem"]["status"] == 422
    mixed[0]["id"], mixed[2]["id"] = "e", "f"
    status, answer = make.post(f"{url}&atomic=true", mixed, token)
    assert status == 422
    assert answer["events"][0]["index"] == 1
    assert set(Event.objects.values_list("event_id", flat=True)) == {"a", "b", "c", "d"}
    status, answer = make.post(url, [{"id": 7}, {"id": 8}], token)
    assert status == 422


def test_a_channels_key_expression_decides_where_events_go(doors: Stack) -> None:
    space = make.workspace()
    channeledits.make(space.pk, "orders", key_expression="event.data.order")
    url = f"{doors.base_url}/api/v1/events?channel=orders"
    sent: list[dict[str, Any]] = [
        {"id": str(i), "type": "T", "data": {"order": i % 2}} for i in range(6)
    ]
    sent += [{"id": "none", "type": "T"}, {"id": "own", "type": "T", "subject": "mine"}]
    status, answer = make.post(url, sent, make.token(None, "events:write"))
    assert status == 202
    assert [entry["id"] for entry in answer["events"] if "note" in entry] == ["none"]
    keys = dict(Event.objects.values_list("event_id", "key"))
    assert keys == {**{str(i): str(i % 2) for i in range(6)}, "none": "none", "own": "mine"}
    places = Event.objects.filter(key__in=["0", "1"]).values_list("key", "partition").distinct()
    assert places.count() == 2


Refusal = tuple[str, Any, dict[str, str], int, str]  # path, body, headers, status, words

REFUSALS: list[Refusal] = [
    ("/api/v1/events", {"type": "T"}, {}, 400, "?channel="),
    ("/api/v1/events?channel=none", {"type": "T"}, {}, 404, "Create it"),
    ("/api/v1/events?channel=orders.in", {"type": "T"}, {}, 404, "no channel"),
    ("/api/v1/events?channel=orders&chanel=x", {"type": "T"}, {}, 400, "chanel"),
    ("/api/v1/events?channel=orders", b"{", {}, 400, "valid JSON"),
    ("/api/v1/events?channel=orders", b'{"id": "\xff"}', {}, 400, "valid JSON"),
    ("/api/v1/events?channel=orders", b'{"id": "a\x00"}', {}, 400, "valid JSON"),
    ("/api/v1/events?channel=orders", b"x" * 10_000_000, {}, 413, "bytes"),
    ("/api/v1/events?channel=orders", b"[" * 5000 + b"]" * 5000, {}, 400, ""),
    ("/api/v1/events?channel=orders", b"a,b", {"Content-Type": "text/csv"}, 415, "text/csv"),
    ("/api/v1/events?channel=orders", {"type": "T", "data": "x" * 300_000}, {}, 413, "elsewhere"),
    ("/api/v1/events?channel=orders", {"data": 1}, {}, 422, "no type"),
    ("/api/v1/events?channel=orders", {"type": "T"}, {"Authorization": "Basic eA=="}, 401, "token"),
    (
        "/api/v1/events?channel=orders",
        {"type": "T"},
        {"Authorization": "Bearer ef_wrong"},
        401,
        "isn't valid",
    ),
    ("/api/v1/flows/none/trigger", {}, {}, 404, "no flow"),
    ("/api/v1/flows/orders/trigger?node=none", {}, {}, 404, "it has in"),
    ("/api/v1/flows/orders/trigger?wait=soon", {}, {}, 400, "number of seconds"),
    ("/api/v1/flows/orders/trigger?wait=1000", {}, {}, 400, "60"),
    ("/hooks/none", {}, {}, 404, "no webhook"),
]


def test_every_refusal_is_a_problem_that_says_what_to_do(doors: Stack) -> None:
    _channel()
    make.published(make.order_document())
    token = make.token(None, "events:write")
    for path, body, headers, status, words in REFUSALS:
        sent = {"Authorization": f"Bearer {token}", **headers}
        got, problem = make.post(f"{doors.base_url}{path}", body, None, **sent)
        assert got == status, (path, problem)
        assert problem["status"] == status
        assert words in problem["detail"], problem
    reader = make.token(None, "traces:read")
    assert make.post(f"{doors.base_url}/api/v1/events?channel=orders", {}, reader)[0] == 403
    other = make.token(make.workspace("other"), "admin")
    assert make.post(f"{doors.base_url}/api/v1/events?channel=orders", {}, other)[0] == 404
    assert make.post(f"{doors.base_url}/api/v1/flows/orders/trigger", {}, other)[0] == 404
    assert not Event.objects.exists()


def test_a_revoked_token_is_refused_within_five_seconds(doors: Stack) -> None:
    _channel()
    url = f"{doors.base_url}/api/v1/events?channel=orders"
    text, row = people.create_token(make.workspace().pk, "soon gone", ["events:write"])
    assert make.post(url, {"type": "T"}, text)[0] == 202
    people.revoke_token(row)
    wait_until(lambda: make.post(url, {"type": "T"}, text)[0] == 401, 5)


def test_a_full_inbox_answers_429_and_says_when_to_come_back(doors: Stack) -> None:
    from workflows.models import Channel

    make.published(make.order_document())
    Channel.objects.filter(slug="orders.in").update(lag_limit=10)
    url = f"{doors.base_url}/api/v1/flows/orders/trigger"
    token = make.token(None, "events:write")
    assert make.post(url, {"data": 1}, token)[0] == 202

    def full() -> bool:
        return bool(make.post(url, {"data": 1}, token)[0] == 429)

    wait_until(full, 20)
    assert "Try again" in make.post(url, {"data": 1}, token)[1]["detail"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, b"{}", headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert int(answer.headers["Retry-After"]) > 0


def _signed_flow(signature: str, **more: str) -> str:
    """A flow with a checked webhook; the path of its address."""
    space = make.workspace()
    Connection.objects.create(workspace=space, name="hub", sealed=seal("s3cret"))
    body = make.document(
        "hub",
        [
            ("in", "producer.http", {"signature": signature, "secret": "hub", **more}),
            ("end", "consumer.log", {}),
        ],
        ["in:out end"],
    )
    make.published(body)
    return f"/hooks/{Hook.objects.get().key}"


def test_a_webhook_with_githubs_signature_is_checked(doors: Stack) -> None:
    url = doors.base_url + _signed_flow("github")
    body = json.dumps({"action": "opened"}).encode()
    digest = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "issues", "X-GitHub-Delivery": "d-1"}
    status, answer = make.post(url, body, **headers, **{"X-Hub-Signature-256": f"sha256={digest}"})
    assert status == 202, answer
    event = Event.objects.get()
    assert (event.event_id, event.type) == ("d-1", "github.issues")
    for signature in ("", "sha256=", f"sha256={digest[:-1]}0", f"sha1={digest}", "ü"):
        status, problem = make.post(url, body, **headers, **{"X-Hub-Signature-256": signature})
        assert status == 401, signature
    assert Event.objects.count() == 1
    assert Rejected.objects.count() == 5
    assert "s3cret" not in json.dumps(problem)


def test_a_webhook_with_a_token_is_checked(doors: Stack) -> None:
    url = doors.base_url + _signed_flow("token")
    assert make.post(url, {"x": 1}, Authorization="Bearer s3cret")[0] == 202
    assert make.post(url, {"x": 1}, Authorization="Bearer wrong")[0] == 401
    assert make.post(url, {"x": 1})[0] == 401
    assert "s3cret" not in json.dumps(list(Rejected.objects.values_list("headers", flat=True)))


def test_a_wrong_token_is_not_kept_whatever_header_it_came_in(doors: Stack) -> None:
    url = doors.base_url + _signed_flow("token", token_header="X-Shop-Secret")
    wrong = {"X-Shop-Secret": "s3cres", "X-Api-Key": "s3cret", "X-Kind": "order"}
    assert make.post(url, {"x": 1}, **wrong)[0] == 401
    (kept,) = Rejected.objects.values_list("headers", flat=True)
    assert kept["x-kind"] == "order"
    assert "s3cre" not in json.dumps(kept)


def test_a_writer_that_takes_long_holds_up_events_but_not_the_pages(doors: Stack) -> None:
    _channel()
    url = f"{doors.base_url}/api/v1/events?channel=orders"
    token = make.token(None, "events:write")
    assert make.post(url, {"id": "a", "type": "T"}, token)[0] == 202
    with ThreadPoolExecutor(1) as sender:
        with transaction.atomic():
            sql.execute("UPDATE workflows_head SET head = head")
            sent = sender.submit(make.post, url, {"id": "b", "type": "T"}, token)
            for _ in range(20):
                assert answers_healthy("127.0.0.1", doors.port)
            assert not sent.done()
        assert sent.result(20)[0] == 202
    assert set(Event.objects.values_list("event_id", flat=True)) == {"a", "b"}
