"""Replays on their pages: counted, begun by those who may, watched and compared."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World
from workflows.models import Replay
from workflows.tasks.replay import replay_slice

Browser = Callable[[str], Client]
NEW = "/w/main/replays/new"


def _form(**more: str) -> dict[str, str]:
    return {"flow": "orders", "version": "published", "mode": "shadow", **more}


def _play(replay: Replay) -> None:
    for _ in range(20):
        Replay.objects.update(due_at=0, moved_at=0)
        replay_slice(replay.pk)


def test_the_form_begins_with_a_count(world: World, browser: Browser) -> None:
    html = browser("editor").get(f"{NEW}?flow=orders").content.decode()
    assert "<b>3</b> events of <code>orders.in</code> fit" in html
    assert "Begin the shadow run" in html


def test_with_two_producers_the_form_says_at_which_one_and_offers_the_other(
    world: World, browser: Browser
) -> None:
    nodes: list[make.Node] = [("a", "producer.http", {}), ("b", "producer.manual", {})]
    body = make.document("two", [*nodes, ("end", "consumer.log", {})], ["a:out end", "b:out end"])
    make.append(make.published(body), [make.event("e1")], node="b")
    client = browser("editor")
    html = client.get(f"{NEW}?flow=two").content.decode()
    assert "entering at <code>a</code>" in html
    form = _form(flow="two", node="b")
    html = client.post(f"{NEW}?part=count", form, headers={"HX-Request": "true"}).content.decode()
    assert "<b>1</b> event of <code>two.b</code> fits, entering at <code>b</code>" in html
    assert '<option value="b" selected>' in html


COUNTS: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "<b>3</b> events"),
    ({"key": "customer-1"}, "<b>1</b> event of"),
    ({"until": "2001-01-01T00:00"}, "<b>0</b> events"),
    ({"rate": "fast"}, "Mend what is marked."),
    ({"channel": "nowhere"}, "There is no channel"),
    ({"mode": "run"}, "need the role of operator"),
)


@pytest.mark.parametrize(("more", "says"), COUNTS)
def test_a_change_counts_anew(
    world: World, browser: Browser, more: dict[str, str], says: str
) -> None:
    client = browser("editor")
    headers: Any = {"HX-Request": "true"}
    html = client.post(f"{NEW}?part=count", _form(**more), headers=headers).content.decode()
    assert says in html
    assert "<html" not in html
    assert Replay.objects.count() == 1


def test_a_shadow_run_is_begun_and_compared(world: World, browser: Browser) -> None:
    client = browser("editor")
    answer = client.post(NEW, _form())
    assert answer.status_code == 302
    replay = Replay.objects.order_by("pk").last()
    assert replay is not None and answer.url.endswith(f"/replays/{replay.pk}")
    _play(replay)
    html = client.get(answer.url).content.decode()
    assert "3 of 3 events" in html
    assert "No event would end differently" in html


def test_one_event_is_replayed_from_its_page(world: World, browser: Browser) -> None:
    client = browser("editor")
    html = client.get(f"/w/main/events/{world.position}").content.decode()
    assert f"event={world.position}" in html
    html = client.get(f"{NEW}?event={world.position}").content.decode()
    assert "1 chosen event" in html and "<b>1</b> event of" in html
    client.post(NEW, {**_form(), "event": [world.position]})
    replay = Replay.objects.order_by("pk").last()
    assert replay is not None and replay.total == 1


def test_effects_need_an_operator(world: World, browser: Browser) -> None:
    assert browser("editor").post(NEW, _form(mode="run")).status_code == 403
    assert Replay.objects.count() == 1
    assert browser("operator").post(NEW, _form(mode="run")).status_code == 302
    assert Replay.objects.count() == 2


def test_the_traces_of_a_replay_say_so(world: World, browser: Browser) -> None:
    client = browser("operator")
    client.post(NEW, _form(mode="run"))
    replay = Replay.objects.order_by("pk").last()
    assert replay is not None
    _play(replay)
    html = client.get(f"/w/main/traces?replay={replay.pk}").content.decode()
    assert html.count(f'<span class="pill">replay {replay.pk}</span>') == 3
    assert '<span class="pill">replay' not in client.get("/w/main/traces?run=live").content.decode()


def test_a_cancelled_replay_says_so(world: World, browser: Browser) -> None:
    client = browser("editor")
    client.post(f"/w/main/replays/{world.replay}/cancel")
    assert "Cancelled" in client.get(f"/w/main/replays/{world.replay}").content.decode()
