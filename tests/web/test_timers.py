"""A producer that makes events by itself shows when, and that it can't."""

import time

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import HOSTILE, World
from tests.web.nodeforms import ask
from tests.web.test_alarms import Browser
from workflows.models import Flow, Timer
from workflows.storage import flows


@pytest.fixture
def flow(world: World) -> Flow:
    nodes: list[make.Node] = [
        ("in", "producer.schedule", {"every_seconds": 60}),
        ("end", "consumer.log", {}),
    ]
    return make.published(make.document("often", nodes, ["in:out end"]), world.space)


def _part(client: Client, name: str) -> str:
    """A part of the flow's page, as an open page asks for it."""
    answer = client.get(f"/w/main/flows/often?part={name}", headers={"HX-Request": "true"})
    assert b"<html" not in answer.content
    return answer.content.decode()


def _inspected(client: Client) -> str:
    return _part(client, "timer&node=in")


def test_the_node_shows_its_next_and_its_last_moment(flow: Flow, browser: Browser) -> None:
    client = browser("viewer")
    text = _inspected(client)
    assert "none yet" in text
    Timer.objects.update(due_at=time.time() + 3)
    assert "in a moment" in _inspected(client)
    Timer.objects.update(due_at=4_000_000_000.0)
    assert "2096-10-02T07:06:40" in _inspected(client)
    Timer.objects.update(fired_at=1_700_000_000.0)
    assert "2023-11-14T22:13:20+00:00" in _inspected(client)
    flows.set_paused(flow, True)
    assert "when the flow goes on" in _inspected(client)


def test_a_node_that_runs_nowhere_says_so(world: World, browser: Browser) -> None:
    text = ask(browser("editor"), "producer.schedule", {}, id="new").content.decode()
    assert "once the flow is published with this node" in text
    assert "Events of its own" not in ask(browser("editor"), "producer.http", {}).content.decode()


def test_what_fails_is_said_at_the_node_above_the_flow_and_in_the_list(
    flow: Flow, browser: Browser
) -> None:
    client = browser("viewer")
    assert "makes no events" not in client.get("/w/main/flows/often").content.decode()
    assert "Timer fails" not in client.get("/w/main/flows").content.decode()
    Timer.objects.update(due_at=1.0, error=f"The number is too large {HOSTILE}")
    page = client.get("/w/main/flows/often").content.decode()
    assert "in makes no events" in page
    for text in (page, _inspected(client), _part(client, "banners")):
        assert "The number is too large" in text and HOSTILE not in text
    assert "Timer fails v1" in client.get("/w/main/flows").content.decode()
