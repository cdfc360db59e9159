"""The settings of a flow in the browser: they end up in the draft, and hold once published."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.web.conftest import World
from workflows.storage import flows, publishing
from workflows.storage.plans import load_plan

Browser = Callable[[str], Client]
URL = "/w/main/flows/orders/settings"
GOOD = {
    "name": "Big orders",
    "description": "Over 100",
    "ordering": "key",
    "on_error": "dead",
    "most_hops": "5",
}


def test_settings_hold_once_the_draft_is_published(world: World, browser: Browser) -> None:
    client = browser("editor")
    assert client.post(URL, GOOD).status_code == 302
    draft = flows.draft_document(world.space.pk, "orders")
    assert draft is not None
    assert draft["settings"] == {"ordering": "key", "on_error": "dead", "most_hops": 5}
    with pytest.raises(publishing.Refused, match="id alone"):
        publishing.publish(world.flow, draft)
    draft["nodes"] = [
        {**node, "config": {"key": "event.type"}} if node["id"] == "in" else node
        for node in draft["nodes"]
    ]
    done = publishing.publish(world.flow, draft)
    plan = load_plan(done.version_id)
    assert (plan.ordered, plan.retries, plan.most_hops) == (True, False, 5)
    assert 'value="5"' in client.get(URL).content.decode()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"ordering": "id"}, {"most_hops": "0"}])
def test_wrong_settings_are_refused(world: World, browser: Browser, wrong: dict[str, str]) -> None:
    assert browser("editor").post(URL, {**GOOD, **wrong}).status_code == 422
