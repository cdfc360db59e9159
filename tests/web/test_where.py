"""The page that tells where an event is."""

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import HOSTILE, World, drain
from workflows.storage import eventpages
from workflows.storage.pages import Search

Browser = Callable[[str], Client]


def ask(client: Client, text: str) -> str:
    return client.get("/w/main/where", {"q": text}).content.decode()


def test_it_tells_each_place_with_a_link(world: World, browser: Browser) -> None:
    text = ask(browser("viewer"), "small")
    assert "Accepted into channel orders.in" in text
    assert "is not met (event.data.amount = 5)." in text
    text = ask(browser("viewer"), "customer-1")
    assert f'href="/w/main/events/{world.position}"' in text
    assert f'href="/w/main/traces/{world.trace}"' in text


def test_a_dead_letter_leads_to_it(world: World, browser: Browser) -> None:
    text = ask(browser("viewer"), "broken")
    assert f'href="/w/main/dead-letters/{world.letter}"' in text
    assert HOSTILE not in text


def test_without_a_question_it_teaches_and_without_an_answer_it_helps(
    world: World, browser: Browser
) -> None:
    client = browser("viewer")
    assert "Which event do you look for?" in ask(client, "")
    text = ask(client, HOSTILE)
    assert "No event has this id or key" in text
    assert HOSTILE not in text


def test_what_an_event_caused_is_one_click_away(world: World, browser: Browser) -> None:
    body = make.document(
        "first",
        [("in", "producer.http", {}), ("out", "consumer.channel", {"channel": "shared"})],
        ["in:out out"],
    )
    flow = make.published(body, world.space)
    make.append(flow, [make.event("cause")])
    drain(flow)
    text = ask(browser("viewer"), "cause")
    assert 'href="/w/main/where?q=id%3Dcause%2F' in text


def test_the_search_offers_to_tell_where_it_is(world: World, browser: Browser) -> None:
    text = browser("viewer").get("/w/main/search", {"q": "a&b/c"}).content.decode()
    assert 'href="/w/main/where?q=a%26b%2Fc"' in text
    assert "Where is “a&amp;b/c”?" in text


def test_a_field_that_is_not_indexed_leads_to_the_channels(world: World, browser: Browser) -> None:
    text = ask(browser("viewer"), "data.order_id=4711")
    assert "No channel indexes data.order_id." in text
    assert 'href="/w/main/channels"' in text


def test_a_search_that_takes_long_says_since_when_and_goes_on(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventpages, "Search", lambda: Search(2, 0.0))
    make.append(world.flow, [make.event(f"more-{i}", subject="customer-1") for i in range(3)])
    client = browser("viewer")
    text = ask(client, "customer-1")
    assert "more-2" in text
    link = re.search(r'rel="next" href="([^"]+)"', text)
    assert link is not None
    assert "more-0" in client.get(html.unescape(link[1])).content.decode()
