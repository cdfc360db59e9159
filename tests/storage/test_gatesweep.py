"""Gates and slots that nobody needs go; those that keep something stay."""

import time
from typing import Any

import pytest

from tests import make
from workflows.engine.limits import Limits
from workflows.models import Effect, Gate, Slot
from workflows.storage import flows, gates, work
from workflows.storage.gatesweep import sweep

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400.0


def effect(flow_id: int, number: int, **more: object) -> Effect:
    """A parked call, as far as gates are concerned."""
    common = {"version_id": 1, "node": "call", "subscription_id": 1, "partition": 0, "offset": 0}
    rest = {"path": 0, "request": b"", "timeout_seconds": 10.0, "due_at": 1.0}
    return Effect.objects.create(flow_id=flow_id, number=number, **common, **rest, **more)


def test_gates_of_deleted_nodes_and_flows_go() -> None:
    flow = make.published(make.order_document())
    Gate.objects.create(name=gates.node_gate(flow.pk, "gone"), workspace_id=0, next_at=1.0)
    flows.delete(flow)
    assert sweep() == 1
    assert not Gate.objects.exists()


@pytest.mark.parametrize(
    ("gate", "stays"),
    [
        ({"next_at": 10.0}, True),  # a slow rate remembers
        ({"queued_until": 10.0}, True),
        ({}, False),
        ({"destination": "mail"}, False),
        ({"destination": "mail", "at_once": 1}, True),
        ({"destination": "mail", "per_second": 1.0}, True),
        ({"destination": "mail", "opened_at": -10.0, "retry_at": -5.0}, True),
        ({"destination": "mail", "opened_at": -2 * DAY, "retry_at": 10.0}, True),
        ({"destination": "mail", "opened_at": -2 * DAY, "retry_at": -2 * DAY}, False),
    ],
)
def test_only_gates_that_keep_nothing_go(gate: dict[str, Any], stays: bool) -> None:
    now = time.time()  # the moments above are seconds from here
    moments = {name: now + value for name, value in gate.items() if name.endswith(("_at", "until"))}
    Gate.objects.create(name="any", workspace_id=1, **{**gate, **moments})
    sweep()
    assert Gate.objects.exists() == stays


def test_a_breaker_stays_open_while_calls_wait_however_old_it_is() -> None:
    flow = make.published(make.order_document())
    old = time.time() - 2 * DAY
    for slug, space in (("waited-for", flow.workspace_id), ("elsewhere", 0)):
        Gate.objects.create(
            name=slug, workspace_id=space, destination="mail", opened_at=old, retry_at=old
        )
    effect(flow.pk, 1, destination="mail")
    sweep()
    assert list(Gate.objects.values_list("name", flat=True)) == ["waited-for"]


def test_slots_whose_lease_is_over_go() -> None:
    for number, until in ((1, time.time() - 1), (2, time.time() + 60)):
        Slot.objects.create(gate="any", flow_id=1, number=number, until=until)
    sweep()
    assert list(Slot.objects.values_list("number", flat=True)) == [2]


def test_many_go_in_one_round() -> None:
    Gate.objects.bulk_create(Gate(name=f"k:{n}", workspace_id=0) for n in range(2_500))
    assert sweep() == 2_500


def test_a_clean_stop_gives_back_the_slots_of_what_it_hands_back() -> None:
    for number, owner in ((1, "me"), (2, "another")):
        effect(1, number, owner=owner)
        Slot.objects.create(gate="any", flow_id=1, number=number, until=time.time() + 60)
    work.hand_back_effects("me")
    assert list(Slot.objects.values_list("number", flat=True)) == [2]


def test_a_limit_that_is_set_while_its_gate_rests_is_kept() -> None:
    gates.set_limits(1, "mail", Limits(at_once=2))
    sweep()
    assert [gate.at_once for gate in gates.of_workspace(1)] == [2]
