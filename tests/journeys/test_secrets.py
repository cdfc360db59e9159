"""What only the sender and the server may know is written nowhere: no table, no log, no page."""

import pytest
from django.db import connection

from tests import make
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Hook, Rejected, Trace
from workflows.storage import connections, sql

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

SECRET = "tr0ub4dor-and-3"


def _everything_stored() -> bytes:
    """All rows of all tables, as bytes."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    found = []
    for table in tables:
        for row in sql.fetch(f'SELECT * FROM "{table}"'):
            for value in row:
                kept = (
                    bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                )
                found.append(kept)
    return b"\n".join(found)


def test_secrets_and_tokens_are_in_no_table_and_no_log(installation: Stack, sink: Sink) -> None:
    space = make.workspace()
    assert connections.create(space.pk, "shop", SECRET, "")
    signed = {"signature": "token", "secret": "shop", "token_header": "x-shop-token"}
    call = ("call", "consumer.http", {"url": f"{sink.url}/orders"})
    flow = make.published(
        make.document("shop", [("in", "producer.http", signed), call], ["in:out call"])
    )
    token = make.token(None, "events:write")
    sink.answer = lambda call: (400, {}, b"no")  # failures tell the most
    key = Hook.objects.get(flow=flow).key
    hook = f"{installation.base_url}/hooks/{key}"
    trigger = f"{installation.base_url}/api/v1/flows/shop/trigger"
    assert make.post(hook, {"n": 1}, **{"X-Shop-Token": SECRET})[0] == 202
    assert make.post(hook, b"{", **{"X-Shop-Token": SECRET})[0] == 400
    assert make.post(hook, {"n": 1}, Authorization=f"Bearer {SECRET}")[0] == 401
    assert make.post(trigger, {"n": 2}, token)[0] == 202
    assert make.post(trigger, b"{", token)[0] == 400
    wait_until(lambda: Trace.objects.filter(flow=flow, state="failed").count() == 2)
    assert Rejected.objects.filter(flow=flow).count() == 1
    stored, said = _everything_stored(), installation.output.encode()
    sent = b"".join(str(call.headers).encode() + call.body for call in sink.calls)
    for secret in (SECRET, token):
        for where, what in (("stored", stored), ("logged", said), ("sent", sent)):
            assert secret.encode() not in what, where
    assert key.encode() not in said + sent, "who knows the address of a webhook may send to it"
