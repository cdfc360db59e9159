"""Lanes through the API: who blocks whom, page by page, and moving a lane on."""

from collections.abc import Callable

import pytest

from tests.accounting import assert_balanced
from tests.api.client import person, program
from tests.lanes import append, delaying
from workflows.models import DeadLetter, Flow, Held, Trace


@pytest.fixture
def flow(work: Callable[[Flow], None]) -> Flow:
    """Three events of the key a, two of b, one of c, in that order."""
    found = delaying()
    for one in ("a1", "b1", "c1", "a2", "b2", "a3"):
        append(found, one)
        work(found)
    return found


def test_lanes_tell_who_blocks_them_page_by_page(flow: Flow) -> None:
    api = program("traces:read")
    rows = api.all("flows/orders/lanes?limit=1")
    told = [(row["node"], row["key"], row["waiting"], row["head"]["event_id"]) for row in rows]
    assert told == [("wait", "a", 2, "a1"), ("wait", "b", 1, "b1")]
    head = rows[0]["head"]
    assert (head["kind"], head["attempt"], head["under_way_since"]) == ("held", 0, None)
    assert head["trace"] and head["next_at"] > rows[0]["waits_since"] and head["says"]
    second = api("GET", api("GET", "flows/orders/lanes?limit=1")["next"].partition("/v1/")[2])
    before = api("GET", second["previous"].partition("/v1/")[2])
    assert [row["key"] for row in before["results"]] == ["a"]
    assert before["previous"] is None
    api.expect(404, "GET", "flows/nowhere/lanes")


@pytest.mark.parametrize(
    ("act", "outcome", "state"), [("park", "dead", "failed"), ("skip", "filtered", "filtered")]
)
def test_an_operator_moves_a_lane_on_once(flow: Flow, act: str, outcome: str, state: str) -> None:
    api = person("operator", name="olga")
    number = api("GET", "flows/orders/lanes")["results"][0]["head"]["number"]
    done = api.expect(200, "POST", f"flows/orders/lanes/{number}/{act}")
    assert done["outcome"] == outcome
    assert api("GET", f"traces/{done['trace']}")["state"] == state
    api.expect(409, "POST", f"flows/orders/lanes/{number}/{act}")
    assert Held.objects.count() == 5
    assert [row["head"]["event_id"] for row in api.all("flows/orders/lanes")] == ["b1", "a2"]
    assert_balanced(flow)


def test_a_parked_one_says_by_whom_and_is_redriven_like_any_dead_letter(flow: Flow) -> None:
    api = program("admin")
    number = api("GET", "flows/orders/lanes")["results"][0]["head"]["number"]
    api.expect(200, "POST", f"flows/orders/lanes/{number}/park")
    (letter,) = api.all("dead-letters?kind=parked")
    assert (letter["event_id"], letter["message"]) == ("a1", "Parked by token test.")
    api.expect(202, "POST", f"dead-letters/{letter['id']}/redrive")


def test_what_a_worker_is_busy_with_is_refused_with_the_reason(flow: Flow) -> None:
    api = program("admin")
    head = Held.objects.order_by("number")[0]
    Held.objects.filter(number=head.number).update(owner="worker")
    problem = api.expect(409, "POST", f"flows/orders/lanes/{head.number}/skip")
    assert "right now" in problem["detail"]
    row = api("GET", "flows/orders/lanes")["results"][0]["head"]
    assert row["under_way_since"] and row["next_at"] is None
    assert not DeadLetter.objects.exists()
    assert Trace.objects.filter(state="running").count() == 6
