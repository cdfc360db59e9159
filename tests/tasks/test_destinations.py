"""A destination that is down may be tried by hand, by one call, before its moment has come."""

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import Flow, Gate, Trace
from workflows.storage import destinations, gates, passage
from workflows.tasks import jobs


@pytest.fixture
def down(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """A flow whose destination is down, and left alone for an hour."""
    monkeypatch.setattr(gates, "FIRST_PAUSE", 3_600.0)
    monkeypatch.setattr(gates, "LONGEST_PAUSE", 3_600.0)
    monkeypatch.setattr(passage, "PROBE_SECONDS", 0.2)
    sink.answer = lambda call: (503, {}, b"")
    retry = {"attempts": 10, "first_seconds": 0.01, "cap_seconds": 0.01}
    node: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/", "retry": retry})
    nodes: list[make.Node] = [("in", "producer.http", {}), node]
    flow = make.published(make.document("orders", nodes, ["in:out call"]))
    make.append(flow, [make.event(f"o{i}") for i in range(30)])
    jobs.drain(flow.subscription_set.get().pk)
    wait_until(lambda: waiting(flow) == 30)
    return flow


def waiting(flow: Flow) -> int:
    jobs.tick()
    return sum(
        one.waiting for one in destinations.down_for(flow.workspace_id, flow.pk).destinations
    )


def done(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def test_when_it_is_well_again_everything_arrives(sink: Sink, down: Flow) -> None:
    sink.answer = lambda call: (200, {}, b"")
    assert destinations.try_now(down.workspace_id, sink.url)
    wait_until(lambda: done(down))
    assert Trace.objects.filter(flow=down, state="ok").count() == 30
    assert not Gate.objects.filter(opened_at__isnull=False).exists()
    assert destinations.down_for(down.workspace_id, down.pk).destinations == []
    assert not destinations.try_now(down.workspace_id, sink.url)
    assert_balanced(down)


def test_when_it_is_still_down_a_single_call_finds_out(sink: Sink, down: Flow) -> None:
    before = len(sink.calls)
    opened_at = Gate.objects.get().opened_at
    assert destinations.try_now(down.workspace_id, sink.url)
    wait_until(lambda: waiting(down) == 30 and len(sink.calls) > before)
    wait_until(lambda: Gate.objects.get().pause_seconds == 3_600.0)
    assert len(sink.calls) == before + 1
    assert Gate.objects.get().opened_at == opened_at
