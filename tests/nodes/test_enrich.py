"""What becomes of an event that something is looked up for?"""

from typing import Any

import pytest

from tests.nodes.watching import Watched
from workflows.engine.effects import HttpRequest, Reply
from workflows.engine.rehearsal import NOW

URL = "https://example.org/${event.data}"


def enrich(*replies: Reply, **config: Any) -> Watched:
    return Watched("filter.enrich", {"url": URL, "path": "data", **config}, replies=replies)


def asked(watched: Watched) -> list[str]:
    return [
        ask.effect.url
        for walk in watched.timeline.walks
        for ask in walk.asks
        if isinstance(ask.effect, HttpRequest)
    ]


def reply(status: int, body: str = "") -> Reply:
    return Reply(ok=True, status=status, body=body)


@pytest.mark.parametrize(
    ("answer", "not_found", "port", "data"),
    [
        (reply(200, '{"a": 1}'), "port", "out", {"a": 1}),
        (reply(200, "plain"), "port", "out", "plain"),
        (reply(404), "port", "not_found", "x"),
        (reply(404), "null", "out", None),
        (reply(404), "fail", "error", "x"),
        (reply(400), "null", "error", "x"),
        (Reply(ok=False, error="refused"), "null", "error", "x"),
    ],
)
def test_an_answer_decides_where_the_event_goes(
    answer: Reply, not_found: str, port: str, data: Any
) -> None:
    watched = enrich(answer, not_found=not_found)
    watched.feed(0, "x")
    assert watched.finish().out(port) == [data]


def test_a_busy_service_is_asked_again() -> None:
    watched = enrich(reply(503), reply(200, "1"))
    watched.feed(0, "x")
    assert watched.finish().out() == [1]
    assert [step.outcome for step in watched.steps()] == ["waiting", "retrying", "passed"]


def test_an_answer_is_used_again_while_it_is_young() -> None:
    watched = enrich(*[reply(200, str(n)) for n in range(9)], cache_seconds=60)
    for at, what in ((0, "a"), (59, "a"), (59, "b"), (60, "a"), (119, "a")):
        watched.feed(at, what)
    assert watched.finish().out() == [0, 0, 1, 2, 2]
    assert asked(watched) == [f"https://example.org/{one}" for one in "aba"]
    watched.timeline.advance(NOW + 200)
    assert watched.timeline.surroundings.count_state() == 0


def test_that_nothing_was_found_is_remembered_too() -> None:
    watched = enrich(reply(404), cache_seconds=60)
    watched.feed(0, "a")
    watched.feed(1, "a")
    assert watched.finish().out("not_found") == ["a", "a"]
    assert len(asked(watched)) == 1


def test_an_answer_is_not_used_for_other_headers() -> None:
    config = {"url": "https://example.org", "headers": {"X-Tenant": "${event.data}"}}
    watched = enrich(cache_seconds=60, **config)
    for tenant in "aba":
        watched.feed(0, tenant)
    watched.finish()
    assert len(asked(watched)) == 2


def test_an_address_that_can_not_be_worked_out_fails() -> None:
    watched = enrich(url="https://example.org/${event.data.user}", cache_seconds=5)
    watched.feed(0, {})
    assert watched.finish().out("error") == [{}]
    assert asked(watched) == []
