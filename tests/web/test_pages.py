"""Home, the login, the editor's page, trying a flow, health, and the list of flows."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests import make
from tests.web.conftest import PASSWORD, World, drain, join
from workflows.models import Event, Trace
from workflows.storage import flowrows, flows
from workflows.web.flowlines import MINUTES, lines, rate, sparkline
from workflows.web.newevent import Refused, new_event
from workflows.web.wellbeing import judge

Browser = Callable[[str], Client]

# workspaces that a person belongs to, the one visited last -> where home leads
HOMES = [
    (["main"], None, "/w/main/flows"),
    (["main", "demo"], None, "/w/demo/flows"),
    (["main", "demo"], "main", "/w/main/flows"),
    (["main"], "left", "/w/main/flows"),  # no member there any more
    (["zoo"], None, "/w/zoo/flows"),
]


@pytest.mark.parametrize(("mine", "last", "leads_to"), HOMES)
def test_home_is_where_one_was_last(
    client: Client, mine: list[str], last: str | None, leads_to: str
) -> None:
    for slug in mine:
        join("pat", make.workspace(slug), "viewer")
    assert client.login(username="pat", password=PASSWORD)
    if last:
        client.get(f"/w/{last}/flows")
    assert client.get("/").headers["Location"] == leads_to


def test_home_without_a_workspace_says_whom_to_ask(client: Client) -> None:
    get_user_model().objects.create_user("nobody", password=PASSWORD)
    assert client.login(username="nobody", password=PASSWORD)
    answer = client.get("/")
    assert answer.status_code == 403
    assert "Ask an owner" in answer.content.decode()


def test_a_wrong_password_is_said_and_the_right_one_leads_on(world: World, client: Client) -> None:
    form = {"username": "olga", "password": "wrong", "next": "/w/main/traces"}
    assert "password is wrong" in client.post("/login", form).content.decode()
    answer = client.post("/login", {**form, "password": PASSWORD})
    assert answer.headers["Location"] == "/w/main/traces"


def test_the_login_leads_nowhere_else(world: World, client: Client) -> None:
    form = {"username": "olga", "password": PASSWORD, "next": "https://example.org/"}
    assert client.post("/login", form).headers["Location"] == "/"


def test_a_password_is_changed_by_who_knows_it(world: World, client: Client) -> None:
    assert client.login(username="olga", password=PASSWORD)
    form = {"old_password": "wrong", "new_password1": "long-enough-1", "new_password2": ""}
    refused = client.post("/password", form).content.decode()
    assert refused.count("field-error") >= 2
    form = {**form, "old_password": PASSWORD, "new_password2": "long-enough-1"}
    assert client.post("/password", form).status_code == 302
    assert Client().login(username="olga", password="long-enough-1")


def test_the_log_out_ends_the_session(browser: Browser, world: World) -> None:
    client = browser("viewer")
    client.post("/logout")
    assert client.get("/w/main/flows").status_code == 302


def editor_data(client: Client, slug: str = "orders") -> Any:
    page = client.get(f"/w/main/flows/{slug}").content.decode()
    found = re.search(r'id="editor-data" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_the_editor_gets_all_it_needs(world: World, browser: Browser) -> None:
    data = editor_data(browser("editor"))
    assert (data["canEdit"], data["canOperate"], data["paused"]) == (True, False, False)
    assert data["published"] == {"number": 1, "changes": 0}
    assert data["problems"] == []
    assert data["nodes"]["big"]["summary"] == "amount > 100"
    assert {entry["role"] for entry in data["catalog"]} == {"producer", "filter", "consumer"}
    urls = data["urls"]
    assert urls["draft"] == "/api/v1/flows/orders/draft?workspace=main"
    assert urls["socket"] == "/ws/main/flows/orders"
    assert "{id}" in urls["trace"]
    assert "delete" not in urls
    assert "delete" in editor_data(browser("owner"))["urls"]


def test_the_editor_shows_a_draft_with_its_problems(world: World, browser: Browser) -> None:
    flows.create(world.space.pk, "empty", "Empty")
    data = editor_data(browser("viewer"), "empty")
    assert data["published"] is None
    assert data["canEdit"] is False
    assert data["problems"]


# what is sent -> status, and the data of the event that came of it
TRIES = [
    ({"data": {"amount": 7}}, 202, {"amount": 7}),
    ({"data": None}, 202, None),
    ({}, 202, {"amount": 77}),  # the newest event's, again
    ({"data": 1, "node": "in"}, 202, 1),
    ({"data": 1, "node": "end"}, 409, None),
    ([1], 400, None),
]


@pytest.mark.parametrize(("sent", "status", "data"), TRIES)
def test_a_try_sends_one_event(
    world: World, browser: Browser, sent: Any, status: int, data: Any
) -> None:
    make.append(world.flow, [make.event("newest", 77)])
    before = Event.objects.count()
    answer = browser("editor").post(
        "/w/main/flows/orders/try", json.dumps(sent), content_type="application/json"
    )
    assert answer.status_code == status
    if status != 202:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert Event.objects.count() == before
        return
    event_id = answer.json()["events"][0]["id"]
    assert json.loads(bytes(Event.objects.get(event_id=event_id).body))["data"] == data
    drain(world.flow)
    trace = Trace.objects.get(event_id=event_id)
    ref = f"{trace.subscription_id}-{trace.partition}-{trace.offset}"
    assert answer.json()["trace_url"] == f"/w/main/traces/{ref}"


def test_a_try_by_htmx_answers_with_a_toast(world: World, browser: Browser) -> None:
    client, htmx = browser("editor"), {"HX-Request": "true"}
    answer = client.post("/w/main/flows/orders/try", {"data": '{"amount": 1}'}, headers=htmx)
    toast = json.loads(answer.headers["HX-Trigger"])["eventflow:toast"]
    assert (answer.status_code, toast["kind"]) == (204, "ok")
    answer = client.post("/w/main/flows/orders/try", {"data": "{"}, headers=htmx)
    toast = json.loads(answer.headers["HX-Trigger"])["eventflow:toast"]
    assert (toast["kind"], toast["text"][:22]) == ("failed", "The data isn't valid J")


def test_a_flow_that_is_not_published_cannot_be_tried(world: World, browser: Browser) -> None:
    flows.create(world.space.pk, "empty", "Empty")
    answer = browser("editor").post("/w/main/flows/empty/try")
    assert answer.status_code == 409
    assert "Publish the flow" in answer.json()["detail"]


@pytest.mark.parametrize(("depth", "is_taken"), [(64, True), (65, False)])
def test_events_from_pages_are_bounded_like_all_others(depth: int, is_taken: bool) -> None:
    data: Any = 1
    for _ in range(depth):
        data = [data]
    if is_taken:
        assert new_event("/s", "t", data)["data"] == data
    else:
        with pytest.raises(Refused):
            new_event("/s", "t", data)
    with pytest.raises(Refused):
        new_event("/s", "t", "x" * 300_000)


# living workers and timers -> state, word
HEALTHS = [
    ({"workers": 2, "timers": 1}, "ok", "Healthy"),
    ({"workers": 0, "timers": 1}, "failed", "No worker runs"),
    ({"workers": 1, "timers": 0}, "held", "No timer ticks"),
    ({"workers": 0, "timers": 0}, "failed", "No worker runs"),
    (None, "failed", "Redis is away"),
]


@pytest.mark.parametrize(("alive", "state", "word"), HEALTHS)
def test_the_dot_tells_the_worst(alive: dict[str, int] | None, state: str, word: str) -> None:
    found = judge(alive)
    assert (found.state, found.word) == (state, word)
    assert all(check.todo for check in found.checks if check.state != "ok")


def test_the_dot_is_the_same_on_the_page_and_alone(world: World, browser: Browser) -> None:
    client = browser("viewer")
    dot = client.get("/w/main/health?part=dot", headers={"HX-Request": "true"}).content.decode()
    assert 'class="health"' in dot
    assert dot.strip() in client.get("/w/main/health").content.decode()


def test_the_list_tells_how_each_flow_is_doing(world: World) -> None:
    make.append(world.flow, [make.event("late")])
    flows.create(world.space.pk, "empty", "Empty")
    draft, running = lines(flowrows.of_workspace(world.space.pk))
    assert (draft.state, draft.version, draft.spark.total) == ("draft", None, 0)
    assert (running.state, running.version) == ("ok", 1)
    assert (running.lag, running.dead, running.spark.total) == (1, 1, 3)
    flows.set_paused(world.flow, True)
    assert lines(flowrows.of_workspace(world.space.pk))[1].state == "paused"


def test_a_rate_is_that_of_the_last_sixty_seconds() -> None:
    assert rate([60, 10], 15.0) == 55.0
    assert rate([60, 10], 0.0) == 70.0


def test_a_sparkline_fills_its_box() -> None:
    spark = sparkline([0] * (MINUTES - 1) + [7])
    assert spark.line.startswith("0,23 ")
    assert spark.line.endswith(" 120,2")
    assert (spark.most, spark.total) == (7, 7)
    assert set(re.findall(r",(\S+)", sparkline([0] * MINUTES).line)) == {"23"}


def test_the_switcher_lists_ones_own_workspaces_only(world: World, browser: Browser) -> None:
    make.workspace("secret")
    client = browser("viewer")
    join("a-viewer", make.workspace("second"), "viewer")
    page = client.get("/w/main/flows").content.decode()
    assert "/w/second/flows" in page
    assert "secret" not in page
