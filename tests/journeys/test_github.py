"""Real input: 329 recorded GitHub deliveries, signed, told apart by event, and passed on."""

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import frontend, make
from tests.accounting import assert_balanced
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Connection, Flow, Hook, Trace
from workflows.storage.seal import seal

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

_CASES = ("issues", "pull_request", "push")


def _flow(sink: Sink) -> Flow:
    """Issues, pull requests and pushes each have an address at the sink; all others share one."""
    Connection.objects.create(workspace=make.workspace(), name="hub", sealed=seal("s3cret"))
    cases = [{"name": name, "when": f'event.type == "github.{name}"'} for name in _CASES]
    ends = [(f"to-{name}", "consumer.http", {"url": f"{sink.url}/{name}"}) for name in _CASES]
    return make.published(
        make.document(
            "github",
            [
                ("hook", "producer.http", {"signature": "github", "secret": "hub"}),
                ("kind", "filter.switch", {"cases": cases}),
                *ends,
                ("to-rest", "consumer.http", {"url": f"{sink.url}/rest"}),
            ],
            [
                "hook:out kind",
                *(f"kind:{name} to-{name}" for name in _CASES),
                "kind:otherwise to-rest",
            ],
        )
    )


def test_every_delivery_is_accepted_traced_and_passed_on_once(
    installation: Stack, sink: Sink
) -> None:
    deliveries = frontend.deliveries()
    assert len(deliveries) == 329
    flow = _flow(sink)
    url = f"{installation.base_url}/hooks/{Hook.objects.get(flow=flow).key}"

    def send(item: tuple[int, tuple[str, bytes]]) -> tuple[int, int, int]:
        number, (name, body) = item
        digest = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        status, answer = make.post(
            url,
            body,
            **{
                "X-GitHub-Event": name,
                "X-GitHub-Delivery": f"delivery-{number}",
                "X-Hub-Signature-256": f"sha256={digest}",
            },
        )
        return status, answer["accepted"], answer["duplicates"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, enumerate(deliveries)))
    assert answers == [(202, 1, 0)] * 329
    sink.wait_for(329, 60)
    wait_until(lambda: Trace.objects.filter(flow=flow, state="ok").count() == 329, 30)
    for call in sink.calls:
        name, body = deliveries[int(call.json["id"].removeprefix("delivery-"))]
        assert call.json["data"] == json.loads(body)
        assert call.json["type"] == f"github.{name}"
        assert call.path == (f"/{name}" if name in _CASES else "/rest")
    assert len({call.json["id"] for call in sink.calls}) == 329

    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(send, enumerate(deliveries)))
    assert again == [(202, 0, 1)] * 329
    assert Trace.objects.filter(flow=flow).count() == 329
    assert_balanced(flow)
