"""A shadow run: what a draft would have made of yesterday, and nothing of it leaves."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.replaying import drain, even, flow_with, http, play, settled, taken
from workflows.models import (
    Answer,
    Counter,
    DeadLetter,
    Difference,
    Effect,
    Event,
    Flow,
    FlowVersion,
    Held,
    Minute,
    NodeState,
    Replay,
    ShadowHeld,
    ShadowState,
    Trace,
)
from workflows.storage import flows, publishing, replays, runs, traces
from workflows.storage.ranges import Selection
from workflows.storage.replays import Wish
from workflows.tasks import clock

# What a live run leaves behind, and a shadow run must leave alone.
LIVE = (Answer, Counter, DeadLetter, Effect, Event, Held, Minute, NodeState)


def _rows() -> list[Any]:
    return [sorted(map(str, model.objects.values_list())) for model in LIVE]


def _edit(flow: Flow, node: str, **config: Any) -> None:
    """Change a node's configuration in the draft."""
    document = flows.draft_document(flow.workspace_id, flow.slug) or {}
    for one in document["nodes"]:
        if one["id"] == node:
            one["config"] = config
    draft = flow.draft
    flows.save_draft(flow, document, draft.revision, None)


def _shadow(flow: Flow, selection: Selection | None = None, draft: bool = True) -> Replay:
    return play(replays.start(flow, Wish("shadow", selection or Selection(), draft=draft)))


def test_nothing_leaves_and_nothing_live_changes(sink: Sink) -> None:
    flow = flow_with(sink, 5)
    before, calls = _rows(), len(sink.calls)
    replay = _shadow(flow, draft=False)
    assert (replay.state, replay.done, replay.outcomes) == ("done", 5, {"late": 1, "same": 5})
    assert _rows() == before
    assert len(sink.calls) == calls
    assert len(taken(replay)) == 5
    even(flow)


def test_a_draft_is_compared_with_what_happened(sink: Sink) -> None:
    flow = flow_with(sink, 5)  # amounts 101 to 105
    _edit(flow, "big", condition="event.data.amount > 103")
    replay = _shadow(flow)
    assert replay.outcomes == {"late": 1, "same": 2, "different": 3}
    rows = Difference.objects.filter(replay=replay).order_by("event_id")
    assert [row.event_id for row in rows] == ["e0", "e1", "e2"]
    assert {(row.node, row.live, row.shadow) for row in rows} == {
        ("big", "passed by match", "filtered")
    }
    assert "event.data.amount = 101" in rows[0].detail
    found = traces.parse_ref(rows[0].trace)
    assert found is not None
    shown = traces.find(found)
    assert shown is not None and shown.state == "filtered"


def test_other_content_at_the_same_end_is_told_apart(sink: Sink) -> None:
    flow = flow_with(sink, 2)
    _edit(flow, "vat", set={"data.total_with_vat": "event.data.amount * 1.0"})
    replay = _shadow(flow)
    assert replay.outcomes == {"late": 1, "content": 2}
    row = Difference.objects.filter(replay=replay).order_by("event_id")[0]
    assert (row.node, row.shadow) == ("vat", "data.total_with_vat differs")
    assert row.detail == "121.19999999999999 → 101.0"


def test_a_draft_is_frozen_when_its_replay_begins(sink: Sink) -> None:
    flow = flow_with(sink, 2)
    _edit(flow, "big", condition="event.data.amount > 1000")
    replay = replays.start(flow, Wish("shadow", draft=True))
    flow.refresh_from_db()
    _edit(flow, "big", condition="true")
    assert play(replay).outcomes["different"] == 2
    assert replay.version.number >= runs.FIRST_TRIAL
    draft = flows.draft_document(flow.workspace_id, flow.slug) or {}
    assert publishing.publish(flow, draft).number == 2
    assert FlowVersion.objects.filter(flow=flow).count() == 3


def test_recorded_replies_answer(sink: Sink) -> None:
    sink.answer = lambda call: (400 if call.json["id"] == "e1" else 200, {}, b"no")
    flow = flow_with(sink, 3)
    replay = _shadow(flow, draft=False)
    assert replay.outcomes == {"late": 1, "same": 3}
    run = runs.number("shadow", replay.pk)
    failed = Trace.objects.get(run=run, event_id="e1")
    assert failed.state == "failed"
    assert b"Not sent in a shadow run: POST" in bytes(failed.steps)
    assert b"The recorded reply answered: 400." in bytes(failed.steps)
    assert DeadLetter.objects.count() == 1


def test_an_effect_without_a_recorded_reply_gets_a_neutral_one_and_says_so(sink: Sink) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    drain(flow)
    document = make.order_document(consumer=http(sink))
    flow.refresh_from_db()
    flows.save_draft(flow, document, flow.draft.revision, None)
    replay = _shadow(flow)
    assert replay.outcomes == {"late": 1, "different": 1, "assumed": 1}
    row = Difference.objects.get()
    assert (row.node, row.live, row.shadow, row.assumed) == (
        "call", "not reached", "delivered", True,
    )  # fmt: skip
    trace = Trace.objects.get(run__gt=0)
    assert b"No recorded reply: a neutral 200 answered." in bytes(trace.steps)
    assert not sink.calls


@pytest.fixture
def remembering() -> Iterator[Flow]:
    body = make.document(
        "once",
        [
            ("in", "producer.http", {}),
            ("once", "filter.dedupe", {"key": "event.data.amount", "window_seconds": 60}),
            ("end", "consumer.log", {}),
        ],
        ["in:out once", "once:fresh end"],
    )
    flow = make.published(body)
    for index, amount in enumerate((1, 2, 1, 3, 2)):
        make.append(flow, [make.event(f"e{index}", amount)])
        drain(flow)
    yield flow


def test_the_memory_is_its_own_and_begins_empty(remembering: Flow) -> None:
    before = _rows()
    replay = _shadow(remembering, draft=False)
    assert replay.outcomes == {"late": 1, "same": 5}
    assert _rows() == before
    assert not ShadowState.objects.exists()


def test_the_memory_lasts_from_batch_to_batch(
    remembering: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.storage.replaywork.BATCH", 1)
    assert _shadow(remembering, draft=False).outcomes["same"] == 5


@pytest.mark.parametrize("batch", [1, 200])
def test_what_is_held_goes_on_at_its_simulated_moment(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.storage.replaywork.BATCH", batch)
    body = make.document(
        "later",
        [
            ("in", "producer.http", {}),
            ("wait", "filter.delay", {"seconds": 3_600}),
            ("end", "consumer.log", {}),
        ],
        ["in:out wait", "wait:out end"],
    )
    flow = make.published(body)
    make.append(flow, [make.event(f"e{i}") for i in range(4)])
    drain(flow)
    begun = time.monotonic()
    replay = _shadow(flow, draft=False)
    assert time.monotonic() - begun < 30
    run = runs.number("shadow", replay.pk)
    assert set(Trace.objects.filter(run=run).values_list("state", "open")) == {("ok", 0)}
    assert not ShadowHeld.objects.exists()
    assert Held.objects.count() == 4
    # Live, they still wait: there is nothing to compare with yet.
    assert set(replay.outcomes) == {"late"}
    Held.objects.update(due_at=0)
    clock.tick()
    assert _shadow(flow, draft=False).outcomes["same"] == 4


def test_without_a_live_run_there_is_nothing_to_compare_with() -> None:
    source = make.published(make.order_document("source"))
    make.append(source, [make.event("a"), make.event("b")])
    drain(source)
    target = make.published(make.order_document("target"))
    wish = Wish("shadow", channel="source.in")
    assert play(replays.start(target, wish)).outcomes == {"late": 1, "new": 2}


def test_a_shadow_run_is_not_seen_live(sink: Sink) -> None:
    flow = flow_with(sink, 2)
    since = traces.newest_change(flow.pk)
    replay = _shadow(flow, draft=False)
    until = traces.newest_change(flow.pk)
    assert until > since
    assert traces.changed(flow.pk, since, until, 100) == ([], 0)
    assert all(row.ref.run == 0 for row in traces.newest(flow.pk, 100))
    assert len(taken(replay)) == 2


def test_a_shadow_run_goes_on_in_a_paused_flow(sink: Sink) -> None:
    flow = flow_with(sink, 2)
    flows.set_paused(flow, True)
    assert _shadow(flow, draft=False).done == 2
    wait_until(lambda: settled(flow))
