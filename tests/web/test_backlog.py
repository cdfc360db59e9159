"""What a flow has still before it, and how far behind a channel's readers are, as pages."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import make
from tests.sending import send
from tests.web.conftest import World
from workflows.models import Channel
from workflows.storage import channels, flows
from workflows.web.backlog import _span

Browser = Callable[[str], Client]
END: make.Node = ("end", "consumer.log", {})


def _read(client: Client, address: str) -> str:
    answer = client.get(f"/w/main/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def _reading(slug: str, *more: make.Node) -> None:
    nodes = [("in", "producer.channel", {"channel": "shared"}), *(more or (END,))]
    make.published(make.document(slug, nodes, [f"in:out {nodes[1][0]}"]))


def test_a_flow_shows_what_is_unread_and_a_paused_one_says_so(
    world: World, browser: Browser
) -> None:
    make.append(world.flow, [make.event("waits")])
    assert "Being taken" in _read(browser("viewer"), "flows/orders/backlog")
    flows.set_paused(world.flow, True)
    assert "The flow is paused" in _read(browser("viewer"), "flows/orders/backlog")


def test_a_flow_that_reads_nothing_is_told_how_to_begin(world: World, browser: Browser) -> None:
    flows.create(world.space.pk, "empty", "Empty")
    assert "It reads nothing yet" in _read(browser("viewer"), "flows/empty/backlog")


def test_a_channel_shows_who_is_behind_and_near_its_limit(world: World, browser: Browser) -> None:
    channels.create(world.space.pk, "shared")
    assert "Nobody reads this channel" in _read(browser("viewer"), "channels/shared/backlog")
    Channel.objects.filter(slug="shared").update(lag_limit=10)
    _reading("behind")
    send("shared", [make.event(str(n)) for n in range(9)])
    text = _read(browser("editor"), "channels/shared/backlog")
    assert "90% of the limit of 10: past that, the oldest expire" in text
    assert "Change the limit" in text
    assert "Change the limit" not in _read(browser("viewer"), "channels/shared/backlog")
    assert 'href="/w/main/flows/behind/backlog"' in text


def test_who_waits_for_a_full_channel_leads_to_it(world: World, browser: Browser) -> None:
    channels.create(world.space.pk, "shared")
    channels.create(world.space.pk, "full")
    Channel.objects.filter(slug="full").update(lag_limit=1, lag_policy="block")
    channels.forget()
    _reading("sender", ("out", "consumer.channel", {"channel": "full"}))
    nodes = [("in", "producer.channel", {"channel": "full"}), END]
    make.published(make.document("slow", nodes, ["in:out end"]))
    send("full", [make.event("x")])
    send("shared", [make.event("y")])
    text = _read(browser("viewer"), "flows/sender/backlog")
    assert "Waits until full has room" in text
    assert 'href="/w/main/channels/full/backlog"' in text


@pytest.mark.parametrize(
    ("minutes", "says"),
    [
        (0.5, "less than a minute"),
        (1.0, "about 1 minute"),
        (59.4, "about 59 minutes"),
        (90.0, "about 2 hours"),
        (6_000.0, "about 4 days"),
    ],
)
def test_how_long_the_rest_takes_is_a_rough_word(minutes: float, says: str) -> None:
    assert _span(minutes) == says
