"""Tasks for other systems, through a real broker: they arrive as described, or fail soon."""

import asyncio
from typing import Any

import pytest
from kombu import Connection

from workflows.connectors.celery_task import CeleryConnector, parse_brokers
from workflows.engine.effects import CeleryTask, Reply

KEY = "0123456789abcdef0123456789abcdef"


def perform(url: str, effect: CeleryTask) -> Reply:
    async def run() -> Reply:
        connector = CeleryConnector({"billing": url})
        await connector.open()
        try:
            return await connector.perform(effect, KEY)
        finally:
            await connector.close()

    return asyncio.run(run())


def task(**more: Any) -> CeleryTask:
    fields = {"name": "billing.book", "connection": "billing", "queue": "other-system", **more}
    return CeleryTask(**fields)


def test_a_task_arrives_as_it_was_described(valkey: str) -> None:
    broker = valkey.replace("unix://", "redis+socket://").replace("db=", "virtual_host=")
    reply = perform(broker, task(args=[{"order": 7}], kwargs={"fast": True}))
    assert (reply.ok, reply.body) == (True, "01234567-89ab-cdef-0123-456789abcdef")
    with Connection(broker) as connection, connection.SimpleQueue("other-system") as queue:
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == "billing.book"
    assert message.headers["id"] == reply.body
    args, kwargs, _ = message.payload
    assert (args, kwargs) == ([{"order": 7}], {"fast": True})


def test_a_broker_that_is_away_is_told_at_once(free_port: int) -> None:
    for scheme in ("redis", "amqp"):
        reply = perform(f"{scheme}://127.0.0.1:{free_port}", task())
        assert (reply.ok, reply.error) == (False, "connection")
        assert '"billing" cannot be reached' in reply.message


@pytest.mark.parametrize(
    ("url", "effect", "says"),
    [
        ("redis://127.0.0.1", task(connection="crm"), 'no broker "crm"'),
        ("nonsense://127.0.0.1", task(), "No such transport"),
    ],
)
def test_what_never_can_be_sent_is_invalid(url: str, effect: CeleryTask, says: str) -> None:
    reply = perform(url, effect)
    assert reply.error == "invalid"
    assert says in reply.message


def test_brokers_are_given_as_names_and_urls() -> None:
    given = ["billing=redis://h:1/0?a=b", " crm = amqp://u:p@h//"]
    assert parse_brokers(given) == {"billing": "redis://h:1/0?a=b", "crm": "amqp://u:p@h//"}
    for wrong in ("redis://h:1/0", "=redis://h", "billing"):
        with pytest.raises(ValueError, match="name=url"):
            parse_brokers([wrong])
