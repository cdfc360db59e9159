"""People who are logged in send events through the server's own doors."""

from typing import Any

import pytest

from tests import make
from tests.api.client import person
from tests.servers import Stack
from workflows.models import Event
from workflows.storage import channels

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_an_editor_triggers_a_flow_and_sends_events_and_others_do_not(
    installation: Stack,
) -> None:
    make.published(make.order_document("pressed"))
    channels.create(make.workspace().pk, "pressed")
    editor, viewer = person("editor").session, person("viewer").session
    trigger = f"{installation.base_url}/api/v1/flows/pressed/trigger?workspace=main"
    events = f"{installation.base_url}/api/v1/events?channel=pressed"
    lines = b'{"id": "a", "type": "T"}\n{"id": 7}\n'

    def status(url: str, body: Any, headers: dict[str, str], **more: str) -> int:
        return make.post(url, body, None, **{**headers, **more})[0]

    assert status(trigger, {"amount": 3}, editor) == 202
    code, answer = make.post(
        events, lines, None, **{**editor, "Content-Type": "application/x-ndjson"}
    )
    assert (code, answer["accepted"], answer["events"][1]["problem"]["status"]) == (207, 1, 422)
    refused = [
        (status(trigger, {}, viewer), 403),
        (status(trigger, {}, editor, **{"X-CSRFToken": "b" * 32}), 403),
        (status(trigger, {}, {}), 401),
        (status(events, b"x" * 3_000_000, editor), 413),
        (status(f"{events}&chanel=x", {"type": "T"}, editor), 400),
        (status(trigger.replace("pressed", "none"), {}, editor), 404),
        (status(trigger.replace("=main", "=other"), {}, editor), 404),
    ]
    assert [got for got, _ in refused] == [wanted for _, wanted in refused]
    theirs = Event.objects.filter(channel__slug__in=["pressed", "pressed.in"])
    assert sorted(theirs.values_list("type", flat=True)) == ["T", "pressed.triggered"]


def test_a_person_may_wait_for_the_flows_reply(installation: Stack) -> None:
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("out", "consumer.reply", {"status": 201, "body": '{"seen": event.data.amount}'}),
    ]
    make.published(make.document("asks", nodes, ["in:out out"]))
    editor = person("editor", name="waiting").session
    url = f"{installation.base_url}/api/v1/flows/asks/trigger?wait=20"
    assert make.post(url, {"amount": 3}, None, **editor) == (201, {"seen": 3})
