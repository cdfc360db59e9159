"""Destinations through the API: what is down, what is limited, and trying one now."""

import pytest
from django.test import Client

from tests import make
from tests.api.client import program
from tests.lanes import waiting_for
from workflows.engine.limits import Limits
from workflows.models import Effect, Gate
from workflows.storage import gates

pytestmark = pytest.mark.usefixtures("valkey")
DOWN = "https://billing.example"


def test_a_destination_that_is_down_says_so_and_how_many_calls_wait() -> None:
    flow = make.published(make.order_document())
    gates.open_breaker(flow.workspace_id, DOWN, "Nobody answered.")
    gates.set_limits(flow.workspace_id, "mail", Limits(per_second=2.5))
    waiting_for(flow, DOWN, 3)
    waiting_for(flow, "https://fine.example", 1)
    billing, fine, mail = program("flows:read").all("destinations")
    assert (billing["destination"], billing["state"], billing["waiting"]) == (DOWN, "open", 3)
    assert billing["error"] == "Nobody answered." and billing["opened_at"] < billing["retry_at"]
    assert (fine["state"], fine["waiting"], fine["opened_at"]) == ("closed", 1, None)
    assert (mail["destination"], mail["per_second"], mail["waiting"]) == ("mail", 2.5, 0)
    assert program("flows:read", space=make.workspace("elsewhere")).all("destinations") == []


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("https://Billing.example/orders?x=1", DOWN),
        ("https://user:secret@billing.example", DOWN),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("celery:broker", "celery:broker"),
        ("mail", "mail"),
    ],
)
def test_a_destination_is_limited_by_its_name_or_an_address_of_it(written: str, name: str) -> None:
    api = program("admin")
    row = api.expect(200, "PUT", "destinations", {"destination": written, "at_once": 3})
    assert (row["destination"], row["at_once"], row["per_second"]) == (name, 3, 0.0)
    assert [one["destination"] for one in api.all("destinations")] == [name]
    api.expect(200, "PUT", "destinations", {"destination": written})
    assert api.all("destinations") == []


@pytest.mark.parametrize(
    "body",
    [
        {"destination": "billing.example", "at_once": 1},
        {"destination": "https://[", "at_once": 1},
        {"destination": "celery:", "at_once": 1},
        {"destination": DOWN, "at_once": -1},
        {"destination": DOWN, "per_second": 1e9},
        {"at_once": 1},
    ],
)
def test_what_is_no_destination_or_no_limit_is_refused(body: dict[str, object]) -> None:
    program("admin").expect(422, "PUT", "destinations", body)
    assert not Gate.objects.exists()


def test_trying_now_lets_a_call_go_at_once() -> None:
    flow = make.published(make.order_document())
    gates.open_breaker(flow.workspace_id, DOWN, "Nobody answered.")
    waiting_for(flow, DOWN, 2, due_at=Gate.objects.get().retry_at)
    api = program("admin")
    row = api.expect(200, "POST", "destinations/try", {"destination": DOWN})
    assert (row["state"], row["waiting"]) == ("open", 2)
    assert set(Effect.objects.values_list("due_at", flat=True)) == {0.0}
    assert Gate.objects.get().retry_at == 0.0
    gates.keep_open(flow.workspace_id, DOWN, "Nobody answered.")
    assert Gate.objects.get().pause_seconds == gates.FIRST_PAUSE
    elsewhere = program("admin", space=make.workspace("elsewhere"))
    elsewhere.expect(409, "POST", "destinations/try", {"destination": DOWN})
    gates.close_breaker(flow.workspace_id, DOWN)
    api.expect(409, "POST", "destinations/try", {"destination": DOWN})


def test_the_figures_tell_how_many_destinations_are_down() -> None:
    space = make.workspace()
    gates.open_breaker(space.pk, DOWN, "Nobody answered.")
    gates.set_limits(space.pk, "mail", Limits(at_once=1))
    token = make.token(None, "traces:read")
    text = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"}).content.decode()
    assert 'eventflow_breakers_open{workspace="main"} 1.0' in text
