"""What was dead is sent again by whoever asks for it, once."""

import pytest

from tests import make
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import DeadLetter

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_a_redriven_dead_letter_is_delivered(installation: Stack, sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no")
    call: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/orders"})
    flow = make.published(make.order_document("mended", consumer=call))
    letters = DeadLetter.objects.filter(flow=flow)
    make.append(flow, [make.event("e")])
    wait_until(lambda: letters.filter(state="open").exists())
    sink.answer = lambda call: (200, {}, b"ok")
    token = make.token(None, "admin")
    url = f"{installation.base_url}/api/v1/dead-letters/{letters.get().pk}/redrive"
    status, answer = make.post(url, {}, token)
    assert (status, answer["state"]) == (202, "open")
    first, second = sink.wait_for(2)
    assert first.json["id"] == second.json["id"] == "e"
    wait_until(lambda: letters.get().state == "redriven")
    assert make.post(url, {}, token)[0] == 409
