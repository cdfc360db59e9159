"""Going back to a version that lacks a node with held events, in the browser."""

from collections.abc import Callable

from django.test import Client

from tests import make
from tests.web.conftest import drain
from workflows.models import FlowVersion

Browser = Callable[[str], Client]
IN: make.Node = ("in", "producer.http", {})
END: make.Node = ("end", "consumer.log", {})


def test_the_page_asks_one_thing_after_the_other_and_keeps_the_answers(browser: Browser) -> None:
    new: make.Node = ("new", "producer.http", {})
    wait: make.Node = ("wait", "filter.delay", {"seconds": 3_600})
    make.published(make.document("orders", [new, END], ["new:out end"]))
    flow = make.published(make.document("orders", [IN, wait, END], ["in:out wait", "wait:out end"]))
    make.append(flow, [make.event("a")])
    drain(flow)
    make.append(flow, [make.event("unread")])
    client, url = browser("editor"), "/w/main/flows/orders/versions/1/publish"
    first = client.post(url)
    assert first.status_code == 409
    assert "Unread events would stay behind" in first.content.decode()
    second = client.post(url, {"unread": "finish"})
    page = second.content.decode()
    assert second.status_code == 409
    assert "Held events would stay behind" in page
    assert page.count('name="unread" value="finish"') == 3
    assert client.post(url, {"unread": "finish", "on_removed": "drop"}).status_code == 302
    assert FlowVersion.objects.count() == 3
