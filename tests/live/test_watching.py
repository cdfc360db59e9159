"""Who watches a flow must be let go when the log-in by which they came has ended."""

import asyncio
from collections.abc import Callable

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from tests import make
from workflows.live import consumers
from workflows.live.routing import sockets
from workflows.models import Membership

# Sockets read by threads of the loop, which end with it and leave their connections open; that is a
# warning with PostgreSQL, whenever the garbage collector comes by.
pytestmark = [
    pytest.mark.sqlite_alone,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("valkey"),
]


def _log_out(client: Client) -> None:
    client.logout()


def _change_password(client: Client) -> None:
    user = get_user_model().objects.get(username="ada")
    user.set_password("another one, and long")
    user.save()


def _leave(client: Client) -> None:
    Membership.objects.all().delete()


async def _watch(cookie: str, then: Callable[[], None]) -> int | None:
    """Open the flow's socket, let something happen; the code by which it is closed, if it is."""
    headers = [
        (b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()),
        (b"host", b"127.0.0.1"),
        (b"origin", b"http://127.0.0.1"),
    ]
    path = "/ws/main/flows/orders"
    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
    socket = ApplicationCommunicator(sockets, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    first = await socket.receive_output(5)
    assert first["type"] == "websocket.send", first
    await asyncio.to_thread(_and_close, then)
    try:
        async with asyncio.timeout(2.0):
            while (told := await socket.receive_output(2.0))["type"] != "websocket.close":
                pass
    except TimeoutError:
        return None
    code: int = told["code"]
    return code


def _and_close(then: Callable[[], None]) -> None:
    try:
        then()
    finally:
        connections.close_all()


@pytest.mark.parametrize(
    ("then", "code"),
    [(_log_out, 4403), (_change_password, 4403), (_leave, 4403), (lambda client: None, None)],
    ids=["log-out", "another password", "no member any more", "nothing"],
)
def test_a_socket_ends_with_the_log_in_by_which_it_came(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[Client], None], code: int | None
) -> None:
    monkeypatch.setattr(consumers, "_CHECK_SECONDS", 0.2)
    flow = make.published(make.order_document())
    user = get_user_model().objects.create_user("ada", password="a long one, too")
    Membership.objects.create(user=user, workspace=flow.workspace, role="viewer")
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert asyncio.run(_watch(cookie, lambda: then(client))) == code
