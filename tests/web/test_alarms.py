"""The banner above a flow whose accounting doesn't come out even."""

from collections.abc import Callable

from django.test import Client

from tests.web.conftest import HOSTILE, World
from workflows.models import Alarm

Browser = Callable[[str], Client]


def raised(world: World, node: str, difference: int = 1, **more: object) -> Alarm:
    fields = {"kind": "outcomes", "says": "Partition 1: 2 arrived.", **more}
    return Alarm.objects.create(
        flow=world.flow, node=node, difference=difference, first_seen=1, last_seen=2, **fields
    )


def test_a_flow_without_alarms_has_no_banner(world: World, browser: Browser) -> None:
    raised(world, "vat", state="resolved", resolved_at=2)
    assert b"unaccounted" not in browser("operator").get("/w/main/flows/orders").content


def test_the_banner_says_what_is_missing_and_where(world: World, browser: Browser) -> None:
    raised(world, "vat", 1_200, says=HOSTILE)
    raised(world, "in", kind="traces")
    text = browser("viewer").get("/w/main/flows/orders").content.decode()
    assert "1,200 events unaccounted for" in text
    assert "1 event taken without a trace" in text
    assert HOSTILE not in text
    assert "Acknowledge" not in text


def test_an_operator_acknowledges_all_of_a_flow(world: World, browser: Browser) -> None:
    for node in ("in", "big", "vat", "end"):
        raised(world, node)
    client = browser("operator")
    text = client.get("/w/main/flows/orders").content.decode()
    assert "And 1 more" in text
    after = client.post("/w/main/flows/orders/alarms", follow=True).content.decode()
    assert set(Alarm.objects.values_list("state", flat=True)) == {"acknowledged"}
    assert "Acknowledged" in after and "</svg> Acknowledge</button>" not in after
