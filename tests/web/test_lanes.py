"""Pages about what waits: blocked keys, destinations that are down, and where an event is."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tests.lanes import append, delaying, waiting_for
from tests.web.conftest import World, drain
from workflows.models import Effect, Flow, Gate, Held, Trace
from workflows.storage import gates

Browser = Callable[[str], Client]
DOWN = "https://billing.example"


@pytest.fixture
def flow() -> Flow:
    found = delaying()
    for one in ("a1", "a2", "a3", "b1"):
        append(found, one)
        drain(found)
    return found


def text(client: Client, name: str, *args: object, **query: str) -> str:
    return client.get(reverse(name, args=["main", *args]), query).content.decode()


def test_a_page_tells_who_blocks_whom_and_an_operator_moves_on(
    flow: Flow, browser: Browser
) -> None:
    client = browser("operator")
    page = text(client, "lanes", "orders")
    assert ">a1</a>" in page and ">b1</a>" not in page
    head = Held.objects.order_by("number")[0].number
    for says in ("Skipped: it ended as filtered", "at the head of its lane any more"):
        answer = client.post(reverse("skip_head", args=["main", "orders", head]), follow=True)
        assert says in answer.content.decode()
    assert Trace.objects.get(event_id="a1").state == "filtered"
    assert ">a2</a>" in text(client, "lanes", "orders")


def test_who_may_not_act_sees_no_buttons(flow: Flow, browser: Browser) -> None:
    page = text(browser("viewer"), "lanes", "orders")
    assert ">a1</a>" in page and "Park" not in page


def test_an_event_that_waits_says_behind_which_one(flow: Flow, browser: Browser) -> None:
    page = text(browser("viewer"), "where", q="a3")
    assert "Waits for its turn at “wait”, behind event a1." in page
    trace = Trace.objects.get(event_id="a1")
    assert f"{trace.subscription_id}-{trace.partition}-{trace.offset}" in page
    assert "Held at “wait”" in text(browser("viewer"), "where", q="a1")


def test_the_flow_says_calmly_which_destination_is_down(world: World, browser: Browser) -> None:
    waiting_for(world.flow, DOWN, 12)
    client = browser("viewer")
    assert "stopped answering" not in text(client, "flow", "orders")
    gates.open_breaker(world.space.pk, "https://unused.example", "No route.")
    gates.open_breaker(world.space.pk, DOWN, "Nobody answered.")
    page = text(client, "flow", "orders")
    assert "billing.example stopped answering" in page and "unused.example" not in page
    assert "12 calls wait" in page
    destinations = text(client, "destinations")
    assert DOWN in destinations and "unused.example" in destinations and "Try now" not in page


def test_an_operator_limits_and_tries_a_destination(world: World, browser: Browser) -> None:
    client, address = browser("operator"), reverse("destinations", args=["main"])
    assert client.post(address, {"destination": "billing"}).status_code == 422
    client.post(address, {"destination": f"{DOWN}/orders", "at_once": "3", "per_second": "1.5"})
    gate = Gate.objects.get()
    assert (gate.destination, gate.at_once, gate.per_second) == (DOWN, 3, 1.5)
    assert "3 at once, 1.5 a second" in text(client, "destinations")
    gates.open_breaker(world.space.pk, DOWN, "Nobody answered.")
    waiting_for(world.flow, DOWN, 1, due_at=Gate.objects.get().retry_at)
    tried = client.post(reverse("try_destination", args=["main"]), {"destination": DOWN})
    assert tried.status_code == 302
    assert Effect.objects.get().due_at == 0
