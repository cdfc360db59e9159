"""Dead letters by the API: groups, counting first, runs over many, and edits."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import make
from tests.api.client import person, program
from workflows.models import DeadLetter, Flow, Redrive, Subscription
from workflows.storage import deadpages
from workflows.storage.pages import Search
from workflows.tasks import process
from workflows.tasks.drain import drain_slice
from workflows.tasks.redrive import work_on


@pytest.fixture(autouse=True)
def _performer(valkey: str) -> Any:
    yield
    process.stop(2.0)


def dying(slug: str, *data: Any) -> Flow:
    """A flow at which an event with each of these data has died."""
    flow = make.published(make.order_document(slug))
    make.append(flow, [make.event(f"{slug}-{i}", data=one) for i, one in enumerate(data)])
    for subscription in Subscription.objects.filter(flow=flow):
        while drain_slice(subscription.pk):
            pass
    return flow


def finish(run_id: int) -> None:
    while work_on(run_id):
        pass


NOTE, TEXT = {"note": 1}, {"amount": "many"}  # two ways to fail


def test_groups_are_listed_page_by_page_in_both_directions() -> None:
    dying("one", NOTE, NOTE, TEXT)
    dying("two", NOTE)
    api = program("traces:read")
    rows = api.all("dead-letters/groups?limit=1")
    assert sorted((row["flow"], row["open"]) for row in rows) == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
    ]
    first = api.expect(200, "GET", "dead-letters/groups?limit=1")
    assert first["previous"] is None
    second = api.expect(200, "GET", first["next"].removeprefix("http://testserver"))
    back = api.expect(200, "GET", second["previous"].removeprefix("http://testserver"))
    assert back["results"] == first["results"]
    assert back["previous"] is None
    newest = DeadLetter.objects.get(flow__slug="two")
    (only,) = api.all("dead-letters/groups?flow=two&kind=expression&text=AMOUNT")
    assert (only["newest"], only["node"]) == (newest.pk, "big")
    assert api.all("dead-letters/groups?since=2100-01-01T00:00:00Z") == []
    api.expect(400, "GET", "dead-letters/groups?since=yesterday")
    api.expect(404, "GET", "dead-letters/groups?flow=nowhere")


def test_more_letters_mean_no_more_queries(
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    dying("one", *[NOTE] * 8)
    api = program("traces:read")
    with django_assert_max_num_queries(6):
        assert len(api.all("dead-letters")) == 8


@pytest.mark.parametrize(
    "query", ["", "flow=one", "state=open", "node=big", "kind=expression", "flow=one&state=open"]
)
def test_pages_of_letters_repeat_and_skip_nothing(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadpages, "Search", lambda: Search(2, 0.0))
    dying("two", NOTE)
    dying("one", *[NOTE] * 3, *[TEXT] * 3)
    api = program("traces:read")
    found = DeadLetter.objects.order_by("-id").values_list("pk", "flow__slug")
    wanted = [pk for pk, slug in found if slug == "one" or "flow=" not in query]
    assert [row["id"] for row in api.all(f"dead-letters?limit=2&{query}")] == wanted
    alike = found.filter(flow__slug="one").first()
    assert alike is not None
    one = api.expect(200, "GET", f"dead-letters/{alike[0]}")["fingerprint"]
    assert len(api.all(f"dead-letters?limit=2&flow=one&fingerprint={one}")) == 3


def test_many_are_counted_first_and_then_run_again() -> None:
    dying("one", NOTE, NOTE, TEXT)
    dying("two", NOTE)
    api = person("operator")
    wish = {"flow": "one", "text": 'no "amount"', "dry_run": True}
    counted = api.expect(200, "POST", "dead-letters/redrives", wish)
    assert counted == {"letters": 2, "groups": 1}
    assert not Redrive.objects.exists()
    wish = {**wish, "dry_run": False, "version": "failed"}
    run = api.expect(202, "POST", "dead-letters/redrives", wish)
    assert (run["total"], run["by"], run["state"], run["version"]) == (
        2,
        "operator",
        "running",
        "failed",
    )
    finish(run["id"])
    told = api.expect(200, "GET", f"dead-letters/redrives/{run['id']}")
    assert (told["state"], told["done"], told["failed"]) == ("done", 2, 2)
    assert told["ended_at"] is not None
    assert api.all("dead-letters/redrives") == [told]
    letters = api.all(f"dead-letters?redrive={run['id']}")
    assert [one["outcome"] for one in letters] == ["failed"] * 2
    for one in letters:
        trace = api.expect(200, "GET", f"traces/{one['redriven_as']}")
        assert trace["redrive"]["letter"] == one["id"]
        assert trace["state"] == "failed"


# body -> what the refusal says
REFUSED = [
    ({}, "Say which letters"),
    ({"ids": []}, "Say which letters"),
    ({"ids": [1], "flow": "one"}, "either ids or a filter"),
    ({"ids": ["x"]}, "integer"),
    ({"all": True, "rate": 0}, "rate"),
    ({"all": True, "stop_on_error": 0}, "stop_on_error"),
    ({"flows": "one"}, "no such field"),
]


@pytest.mark.parametrize(("body", "says"), REFUSED)
def test_a_run_must_say_what_it_takes_up(body: dict[str, Any], says: str) -> None:
    problem = person("operator").expect(422, "POST", "dead-letters/redrives", body)
    assert says in problem["detail"]
    assert not Redrive.objects.exists()


def test_a_run_is_cancelled_once() -> None:
    dying("one", NOTE)
    api = person("operator")
    run = api.expect(202, "POST", "dead-letters/redrives", {"all": True})
    cancelled = api.expect(200, "POST", f"dead-letters/redrives/{run['id']}/cancel")
    assert cancelled["state"] == "cancelled"
    api.expect(409, "POST", f"dead-letters/redrives/{run['id']}/cancel")
    finish(run["id"])
    assert DeadLetter.objects.get().state == "open"


def test_chosen_letters_are_discarded_by_a_token_with_its_name() -> None:
    dying("one", NOTE, NOTE, NOTE)
    first, second, third = DeadLetter.objects.order_by("pk").values_list("pk", flat=True)
    api = program("admin")
    run = api.expect(202, "POST", "dead-letters/discards", {"ids": [first, third, 10**9]})
    assert (run["act"], run["total"]) == ("discard", 2)
    finish(run["id"])
    letter = api.expect(200, "GET", f"dead-letters/{third}")
    assert (letter["state"], letter["closed_by"]) == ("discarded", "token test")
    assert api.expect(200, "GET", f"dead-letters/{second}")["state"] == "open"


def test_an_edited_letter_shows_both_events() -> None:
    dying("one", NOTE)
    api, letter = person("operator"), DeadLetter.objects.get()
    address = f"dead-letters/{letter.pk}"
    api.expect(422, "POST", f"{address}/redrive", {"data": "x" * 300_000})
    run = api.expect(202, "POST", f"{address}/redrive", {"data": {"amount": 500}})["redrive"]
    finish(run)
    whole = api.expect(200, "GET", address)
    assert whole["event"]["data"] == NOTE
    assert whole["edited_event"]["data"] == {"amount": 500}
    assert whole["outcome"] == "ok"
    assert [one["number"] for one in whole["answers"]] == [1]
    assert api.expect(200, "GET", f"traces/{whole['redriven_as']}")["redrive"]["edited"] is True
