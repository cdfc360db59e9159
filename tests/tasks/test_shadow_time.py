"""A shadow run's clock is simulated: no event is lost to clocks that differ, and all calls end."""

import time
from typing import Any

import pytest

from tests import make
from tests.sending import send
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.replaying import drain, http, play, taken
from workflows.models import Event, Flow, Trace
from workflows.storage import channels, comparisons, flows, replays, replaywork
from workflows.storage.replays import Wish
from workflows.tasks import shadow


def _accepted(seconds: list[float]) -> None:
    """Let the events have been accepted at these moments, in the order of their offsets."""
    begun = time.time() - 1_000
    for event, after in zip(Event.objects.order_by("offset"), seconds, strict=True):
        Event.objects.filter(pk=event.pk).update(accepted_at=begun + after)


def test_clocks_that_differ_take_no_event_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("wait", "filter.delay", {"seconds": 10}),
        ("end", "consumer.log", {}),
    ]
    flow = make.published(make.document("later", nodes, ["in:out wait", "wait:out end"]))
    for n in range(8):
        make.append(flow, [make.event(f"e{n}", subject="one")])
    drain(flow)
    _accepted([0, 1, 2, 3, 10.5, 12, 10.9, 13.5])  # one came by a machine whose clock was behind
    monkeypatch.setattr(shadow, "_HOLDS", 2)  # more wait when it comes
    monkeypatch.setattr(replaywork, "BATCH", 4)
    played = play(replays.start(flow, Wish("shadow")))
    assert (played.state, played.error) == ("done", "")
    assert len(taken(played)) == played.done == 8


def _asking(slug: str, length: int, **config: Any) -> Flow:
    """A flow in which each call waits for the answer to the one before."""
    calls: list[make.Node] = [
        (f"c{n}", "consumer.http", {"url": "http://127.0.0.1:1/", **config}) for n in range(length)
    ]
    nodes = [("in", "producer.channel", {"channel": "shared"}), *calls, ("end", "consumer.log", {})]
    wires = ["in:out c0", *(f"c{n}:response c{n + 1}" for n in range(length - 1))]
    return make.published(
        make.document(slug, nodes, [*wires, f"c{length - 1}:response end"]),
    )


def test_many_events_that_call_many_times_are_played_to_their_ends() -> None:
    channels.create(make.workspace().pk, "shared", partitions=1)
    send("shared", [make.event(f"e{n}") for n in range(200)])
    flow = _asking("chain", 12)
    replay = play(replays.start(flow, Wish("shadow")))
    ends = Trace.objects.filter(flow=flow).values_list("state", "delivered")
    assert set(ends) == {("ok", 13)}
    assert replay.outcomes["new"] == 200


def test_a_call_that_is_tried_again_without_end_leaves_its_trace_open(sink: Sink) -> None:
    sink.answer = lambda call: (500, {}, b"")
    flow = make.published(make.order_document(consumer=http(sink, retry={"attempts": 1})))
    make.append(flow, [make.event("a")])
    drain(flow)
    wait_until(lambda: Trace.objects.filter(state="failed").exists())
    draft = make.order_document(consumer=http(sink, retry={"attempts": 0}))
    flows.save_draft(flow, draft, flow.draft.revision, None)
    replay = play(replays.start(flow, Wish("shadow", draft=True)))
    trace = Trace.objects.get(flow=flow, run__gt=0)
    assert (replay.state, trace.state, trace.open) == ("done", "running", 1)
    assert comparisons.counts(replay)["open"] == 1
