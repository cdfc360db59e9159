"""What becomes of held events whose node a new version doesn't have?"""

import time

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.due import drain, fire_all
from workflows.models import Counter, DeadLetter, Effect, Flow, Held, Trace
from workflows.storage import accounting, publishing
from workflows.storage.plans import load_plan

END: make.Node = ("end", "consumer.log", {})
INBOX: make.Node = ("in", "producer.http", {"key": "event.type"})
WITHOUT = make.document("orders", [INBOX, END], ["in:out end"])


def _with(node: make.Node, wire: str, ordering: str) -> Flow:
    body = make.document("orders", [INBOX, node, END], [f"in:out {node[0]}", wire])
    return make.published({**body, "settings": {"ordering": ordering}})


def _holding(ordering: str = "none") -> Flow:
    """A flow that holds three events at a node of version 1."""
    flow = _with(("wait", "filter.delay", {"seconds": 3_600}), "wait:out end", ordering)
    make.append(flow, [make.event(str(n)) for n in range(3)])
    drain(flow)
    return flow


def test_publishing_asks_what_becomes_of_held_events_whose_node_goes() -> None:
    flow = _holding()
    with pytest.raises(publishing.StillHeld) as asked:
        publishing.publish(flow, WITHOUT)
    assert asked.value.nodes == {"wait": 3}
    flow.refresh_from_db()
    assert flow.published is not None and flow.published.number == 1
    publishing.publish(flow, flow.published.document)  # the node stays: nothing to ask


@pytest.mark.parametrize("ordering", ["none", "key"])
@pytest.mark.parametrize(
    ("how", "state", "letters"),
    [("finish", "ok", 0), ("dead_letter", "failed", 3), ("drop", "filtered", 0)],
)
def test_held_events_of_a_removed_node_end_as_was_decided(
    how: str, state: str, letters: int, ordering: str
) -> None:
    flow = _holding(ordering)
    publishing.publish(flow, WITHOUT, on_removed=how)
    if how == "finish":
        Held.objects.filter(due_at__lt=1e17).update(due_at=time.time() - 1)
        Held.objects.update(until=time.time() - 1)
    for _ in range(4):
        fire_all()
    assert not Held.objects.exists()
    assert set(Trace.objects.values_list("state", "version")) == {(state, 1)}
    assert DeadLetter.objects.filter(state="open").count() == letters
    outcomes = dict(Counter.objects.filter(node="wait").values_list("name", "n"))
    assert outcomes["arrived"] == 3
    assert outcomes.get({"finish": "passed", "dead_letter": "dead", "drop": "expired"}[how]) == 3
    assert accounting.examine(flow.pk, 1_000).findings == []


@pytest.mark.parametrize(("how", "outcome"), [("dead_letter", "dead"), ("drop", "expired")])
def test_calls_that_wait_for_another_try_are_not_made_any_more(
    sink: Sink, how: str, outcome: str
) -> None:
    sink.answer = lambda call: (500, {}, b"")
    flow = _with(("call", "consumer.http", {"url": sink.url}), "call:response end", "none")
    make.append(flow, [make.event("a")])
    drain(flow)
    wait_until(lambda: Effect.objects.filter(failure__isnull=False, owner="").exists())
    publishing.publish(flow, WITHOUT, on_removed=how)
    fire_all()
    assert not Effect.objects.exists()
    assert not Held.objects.exists()
    assert Counter.objects.get(node="call", name=outcome).n == 1
    assert len(sink.calls) == 1
    assert accounting.examine(flow.pk, 1_000).findings == []


def test_a_node_that_comes_back_drops_nothing_any_more() -> None:
    flow = _holding()
    flow.refresh_from_db()
    assert flow.published is not None
    old = flow.published.document
    gone = publishing.publish(flow, WITHOUT, on_removed="drop")
    assert load_plan(gone.version_id).dropped == {"wait"}
    back = publishing.publish(flow, old)
    assert load_plan(back.version_id).dropped == frozenset()
