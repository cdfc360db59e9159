"""When flows make events by themselves, as programs see it."""

from django.test import Client

from tests import make
from tests.api.client import program
from workflows.models import Timer


def _flow() -> None:
    nodes: list[make.Node] = [
        ("in", "producer.schedule", {"every_seconds": 60}),
        ("end", "consumer.log", {}),
    ]
    make.published(make.document("often", nodes, ["in:out end"]))


def test_a_flow_tells_when_it_makes_events_and_what_was_wrong() -> None:
    _flow()
    api = program("flows:read")
    (fresh,) = api.expect(200, "GET", "flows/often/timers")["timers"]
    assert (fresh["node"], fresh["fired_at"], fresh["error"]) == ("in", None, None)
    assert api.expect(200, "GET", "flows/often")["failing_timers"] == 0
    Timer.objects.update(due_at=1_700_000_060.0, fired_at=1_700_000_000.0, error="too large")
    assert api.expect(200, "GET", "flows/often/timers")["timers"] == [
        {
            "node": "in",
            "next_at": "2023-11-14T22:14:20.000Z",
            "fired_at": "2023-11-14T22:13:20.000Z",
            "error": "too large",
        }
    ]
    (listed,) = api.all("flows")
    assert listed["failing_timers"] == 1


def test_monitoring_learns_of_timers_that_fail() -> None:
    _flow()
    headers = {"Authorization": f"Bearer {make.token()}"}
    Timer.objects.update(error="too large")
    told = Client().get("/metrics", headers=headers).content.decode()
    assert 'eventflow_timers_failing{flow="often"} 1.0' in told


def test_a_flow_without_such_producers_has_no_timers() -> None:
    make.published(make.order_document())
    assert program("flows:read").expect(200, "GET", "flows/orders/timers") == {"timers": []}
