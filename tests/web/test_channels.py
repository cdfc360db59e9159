"""The settings of a channel in the browser: its key, its limits, and what a slow reader means."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World
from workflows.models import Channel
from workflows.storage import channeledits, indexed

Browser = Callable[[str], Client]
GOOD = {
    "retention_days": "3",
    "lag_limit": "50",
    "lag_policy": "block",
    "key_expression": "event.data.order",
}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 302),
        ({"key_expression": ""}, 302),
        ({"key_expression": "event.data."}, 422),
        ({"lag_policy": "forget"}, 422),
        ({"lag_limit": "0"}, 422),
    ],
)
def test_settings_are_saved_when_they_are_good(
    world: World, browser: Browser, more: dict[str, str], status: int
) -> None:
    channeledits.make(world.space.pk, "shared")
    sent = {**GOOD, **more}
    answer = browser("editor").post("/w/main/channels/shared", sent)
    assert answer.status_code == status
    saved = Channel.objects.filter(slug="shared").values_list(*GOOD).get()
    assert (tuple(map(str, saved)) == tuple(sent.values())) == (status == 302)


def test_the_key_of_an_inbox_is_its_producers(world: World, browser: Browser) -> None:
    client = browser("editor")
    assert "key_expression" not in client.get("/w/main/channels/orders.in").content.decode()
    assert client.post("/w/main/channels/orders.in", GOOD).status_code == 302
    channel = Channel.objects.get(slug="orders.in")
    assert (channel.key_expression, channel.lag_limit) == ("", 50)


def test_the_list_tells_since_when_events_wait(world: World, browser: Browser) -> None:
    make.append(world.flow, [make.event("waits")])
    page = browser("viewer").get("/w/main/channels").content.decode()
    assert "Oldest unread" in page
    assert page.count("<time") == 1


@pytest.mark.parametrize(
    ("typed", "status", "kept"),
    [
        ("data.order_id, key", 302, ["data.order_id", "key"]),
        ("key", 302, ["key"]),
        ("", 302, []),
        ("order_id", 422, ["subject"]),
    ],
)
def test_indexed_fields_are_named_one_after_the_other(
    world: World, browser: Browser, typed: str, status: int, kept: list[str]
) -> None:
    channel = channeledits.make(world.space.pk, "shared", indexed_fields=["subject"])
    client = browser("editor")
    assert "subject" in client.get("/w/main/channels/shared").content.decode()
    answer = client.post("/w/main/channels/shared", {**GOOD, "indexed_fields": typed})
    assert answer.status_code == status
    fields = indexed.of_channels([channel.pk])[channel.pk]
    assert sorted(field.path for field in fields) == kept
