"""A replay: the same events once more, none lost, none doubled, and nothing else disturbed."""

import contextlib
import time
from typing import Any

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import Channel, Effect, Flow, Replay, Segment, Subscription, Trace
from workflows.storage import accounting, cursors, replays, replaywork, runs, sql
from workflows.storage.ranges import Selection, Span
from workflows.storage.replays import Wish
from workflows.tasks import jobs
from workflows.tasks.drain import drain_slice
from workflows.tasks.replay import replay_slice


def _http(sink: Sink, **config: object) -> make.Node:
    return ("call", "consumer.http", {"url": f"{sink.url}/orders", **config})


def _drain(flow: Flow) -> None:
    for one in Subscription.objects.filter(flow=flow):
        while drain_slice(one.pk):
            pass


def _play(replay: Replay) -> Replay:
    """Work on a replay until it has taken its last event."""
    for _ in range(200):
        Replay.objects.update(due_at=0, moved_at=0)  # its pauses are over
        while replay_slice(replay.pk):
            pass
        replay.refresh_from_db()
        if replay.ended_at is not None:
            return replay
    raise AssertionError(f"it doesn't come to its end: {replay.state}, {replay.error}")


def _settled(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def _taken(replay: Replay) -> list[tuple[int, int]]:
    run = runs.number(replay.mode, replay.pk)
    return sorted(Trace.objects.filter(run=run).values_list("partition", "offset"))


def _flow_with(sink: Sink, count: int = 5, **config: object) -> Flow:
    flow = make.published(make.order_document(consumer=_http(sink, **config)))
    make.append(flow, [make.event(f"e{i}", 101 + i) for i in range(count)])
    _drain(flow)
    sink.wait_for(count)
    wait_until(lambda: _settled(flow))
    return flow


def _even(flow: Flow) -> None:
    assert_balanced(flow)
    assert accounting.examine(flow.pk, 100_000).findings == []


def test_a_run_makes_the_effects_again_under_keys_of_their_own(sink: Sink) -> None:
    flow = _flow_with(sink)
    first = {call.json["id"]: call.key for call in sink.calls}
    replay = _play(replays.start(flow, Wish("run")))
    sink.wait_for(10)
    wait_until(lambda: _settled(flow))
    again = {call.json["id"]: call.key for call in sink.calls[5:]}
    assert set(first) == set(again)
    assert not set(first.values()) & set(again.values())
    assert (replay.state, replay.total, replay.done) == ("done", 5, 5)
    assert replays.states(replay) == {"ok": 5}
    assert cursors.lag_of_flow(flow.pk) == 0
    _even(flow)


def test_a_replay_ends_at_what_was_there_when_it_began(sink: Sink) -> None:
    flow = _flow_with(sink, 3)
    replay = replays.start(flow, Wish("run"))
    make.append(flow, [make.event("late")])
    _drain(flow)
    assert _play(replay).done == 3


SELECTIONS: tuple[tuple[str, Selection, set[str]], ...] = (
    ("all", Selection(), {"a", "b", "c", "d"}),
    ("a type", Selection(type="Other"), {"d"}),
    ("a key", Selection(key="k1"), {"a", "c"}),
    ("since a moment", Selection(since=2_000.0), {"c", "d"}),
    ("until a moment", Selection(until=2_000.0), {"a", "b"}),
    ("between", Selection(since=1_500.0, until=2_500.0), {"b", "c"}),
    ("a type and a key", Selection(type="Other", key="k1"), set()),
)


@pytest.mark.parametrize(
    ("selection", "wanted"), [one[1:] for one in SELECTIONS], ids=[one[0] for one in SELECTIONS]
)
def test_what_fits_the_selection_runs_again(selection: Selection, wanted: set[str]) -> None:
    flow = make.published(make.order_document())
    bodies = [
        make.event("a", subject="k1"),
        make.event("b", subject="k2"),
        make.event("c", subject="k1"),
        {**make.event("d", subject="k2"), "type": "Other"},
    ]
    for at, body in zip((1_000.0, 1_500.0, 2_000.0, 2_500.0), bodies, strict=True):
        (place,) = make.append(flow, [body])
        sql.execute(
            "UPDATE workflows_event SET accepted_at = %s WHERE channel_id = %s"
            ' AND "partition" = %s AND "offset" = %s',
            (at, *place[:3]),
        )
    _drain(flow)
    ready = replays.prepare(flow, Wish("run", selection))
    assert ready.total == len(wanted)
    if not wanted and not ready.spans:
        return
    replay = _play(replays.start(flow, Wish("run", selection)))
    run = runs.number("run", replay.pk)
    assert set(Trace.objects.filter(run=run).values_list("event_id", flat=True)) == wanted
    assert replay.done == len(wanted)


def test_places_and_ranges_choose_offsets() -> None:
    flow = make.published(make.order_document())
    places = make.append(flow, [make.event(str(i), subject="k") for i in range(10)])
    _drain(flow)
    partition = places[0].partition
    some = Selection(places=((partition, 2), (partition, 7)))
    assert _taken(_play(replays.start(flow, Wish("run", some)))) == [(partition, 2), (partition, 7)]
    some = Selection(ranges=(Span(partition, 3, 6),))
    replay = _play(replays.start(flow, Wish("run", some)))
    assert _taken(replay) == [(partition, 3), (partition, 4), (partition, 5)]


def test_events_of_one_key_run_in_their_order(sink: Sink) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(i), subject=f"k{i % 3}") for i in range(500)])
    _drain(flow)
    replay = _play(replays.start(flow, Wish("run")))
    run = runs.number("run", replay.pk)
    for partition in range(8):
        rows = Trace.objects.filter(run=run, partition=partition).order_by("number")
        offsets = list(rows.values_list("offset", flat=True))
        assert offsets == sorted(offsets)
    assert replay.done == 500


def test_a_channel_that_the_flow_does_not_read_is_filled_in(sink: Sink) -> None:
    source = make.published(make.order_document("source"))
    make.append(source, [make.event(f"e{i}") for i in range(4)])
    target = make.published(make.order_document("target", consumer=_http(sink)))
    _play(replays.start(target, Wish("run", channel="source.in")))
    sink.wait_for(4)
    wait_until(lambda: _settled(target))
    assert sorted(sink.ids()) == ["e0", "e1", "e2", "e3"]
    reading = Subscription.objects.get(flow=target, channel__slug="source.in")
    assert (reading.state, reading.node) == ("closed", "in")
    assert cursors.lag_of_flow(target.pk) == 0
    make.append(source, [make.event("later")])
    jobs.sweep()
    assert cursors.lag_of_flow(target.pk) == 0  # it doesn't go on reading
    _even(target)


class Killed(BaseException):
    """As if the process had ended here."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, nth: int) -> list[int]:
    """Let the nth statement that goes to the database end the process."""
    seen = [0]
    real = {name: getattr(sql, name) for name in ("execute", "fetch", "insert_many", "_run")}

    def counting(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen[0] += 1
            if seen[0] == nth:
                raise Killed
            return real[name](*args, **kwargs)

        return call

    for name in real:
        monkeypatch.setattr(sql, name, counting(name))
    return seen


@pytest.mark.parametrize("mode", ["run", "skip_done", "shadow"])
def test_a_kill_between_any_two_statements_loses_and_repeats_nothing(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = make.document(
        "orders",
        [
            ("in", "producer.http", {}),
            ("once", "filter.dedupe", {"key": "event.id", "window_seconds": 60}),
            ("wait", "filter.delay", {"seconds": 1}),
            ("end", "consumer.log", {}),
        ],
        ["in:out once", "once:fresh wait", "wait:out end"],
    )
    flow = make.published(body)
    places = make.append(flow, [make.event(f"e{i}") for i in range(6)])
    _drain(flow)
    wanted = sorted((place.partition, place.offset) for place in places)
    nth, was_killed = 0, True
    while was_killed:
        nth += 1
        replay = replays.start(flow, Wish(mode))
        with monkeypatch.context() as patched:
            seen = _kill_at(patched, nth)
            with contextlib.suppress(Killed):
                replay_slice(replay.pk)
            was_killed = seen[0] >= nth
        Replay.objects.update(lease_until=0)  # the lease of the dead process runs out
        ended = _play(replay)
        assert (ended.state, ended.done, _taken(ended)) == ("done", 6, wanted), nth
    assert nth > 10
    assert accounting.examine(flow.pk, 100_000).findings == []


def test_what_was_committed_before_a_kill_is_still_performed(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = _flow_with(sink, 3)
    replay = replays.start(flow, Wish("run"))
    with monkeypatch.context() as patched:
        patched.setattr("workflows.tasks.replay.performer", lambda: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            replay_slice(replay.pk)
    Replay.objects.update(lease_until=0)
    _play(replay)
    wait_until(lambda: _settled(flow))
    assert len(sink.calls) == 6
    _even(flow)


def test_a_cancelled_replay_takes_nothing_more(sink: Sink) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{i}") for i in range(20)])
    _drain(flow)
    replay = replays.start(flow, Wish("run", rate=1.0))
    replay_slice(replay.pk)
    replay.refresh_from_db()
    assert replay.done == 1
    assert replays.cancel(replay.pk)
    assert not replays.cancel(replay.pk)
    Replay.objects.update(due_at=0)
    assert not replay_slice(replay.pk)
    assert len(_taken(replay)) == 1
    assert replaywork.due() == []
    _even(flow)


def test_a_slice_under_way_when_its_replay_is_cancelled_changes_nothing() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    _drain(flow)
    replay = replays.start(flow, Wish("run"))
    job = replaywork.lease(replay.pk, "slow")
    assert job is not None
    replays.cancel(replay.pk)
    from workflows.tasks import replay as task

    with pytest.raises(task.Fenced):
        task._batch(job)
    assert _taken(replay) == []


def test_the_pace_is_kept() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{i}") for i in range(50)])
    _drain(flow)
    replay = replays.start(flow, Wish("run", rate=10.0))
    replay_slice(replay.pk)
    replay.refresh_from_db()
    assert replay.done == 1
    assert replaywork.due() == []
    Replay.objects.update(due_at=sql.database_now() - 3_600)  # workers were away for an hour
    replay_slice(replay.pk)
    replay.refresh_from_db()
    assert replay.done <= 13  # makes up for a second, not for the hour


def test_live_events_go_first_but_not_for_ever() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{i}") for i in range(100)])
    _drain(flow)
    other = make.published(make.order_document("other"))
    make.append(other, [make.event("live")])
    replay = replays.start(flow, Wish("run"))
    replay_slice(replay.pk)
    assert _taken(replay) == []
    Replay.objects.update(due_at=0, moved_at=sql.database_now() - 10)
    replay_slice(replay.pk)
    assert 0 < len(_taken(replay)) < 100
    _drain(other)
    assert _play(replay).done == 100


def test_a_replay_waits_while_its_effects_do(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaywork, "_MOST_PARKED", 10)
    monkeypatch.setattr(replaywork, "BATCH", 10)
    flow = _flow_with(sink, 40)
    sink.answer = lambda call: (503, {}, b"")
    replay = replays.start(flow, Wish("run"))
    replay_slice(replay.pk)
    Replay.objects.update(due_at=0)
    replay_slice(replay.pk)
    assert 10 <= len(_taken(replay)) <= 20
    assert Effect.objects.filter(flow=flow).count() <= 20


def test_a_paused_flow_is_not_replayed_until_it_goes_on() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    _drain(flow)
    Flow.objects.update(paused=True)
    replay = replays.start(flow, Wish("run"))
    assert replaywork.due() == []
    assert not replay_slice(replay.pk)
    Flow.objects.update(paused=False)
    assert _play(replay).done == 1


def test_the_tick_finds_what_waits() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    _drain(flow)
    replay = replays.start(flow, Wish("run"))
    assert replaywork.due() == [replay.pk]
    jobs.replay(replay.pk)
    assert replaywork.due() == []
    assert len(_taken(replay)) == 1


def test_what_is_still_to_be_replayed_is_kept_by_retention() -> None:
    from workflows.storage import retention

    flow = make.published(make.order_document())
    places = make.append(flow, [make.event(f"e{i}", subject="k") for i in range(5)])
    _drain(flow)
    replay = replays.start(flow, Wish("run"))
    sql.execute("UPDATE workflows_event SET accepted_at = 1")
    assert retention.prune() == 0
    _play(replay)
    assert retention.prune() == len(places)
    assert not Trace.objects.exists()


def test_an_event_published_again_is_a_new_event() -> None:
    body = make.document(
        "first",
        [("in", "producer.http", {}), ("out", "consumer.channel", {"channel": "shared"})],
        ["in:out out"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    _drain(flow)
    shared = Channel.objects.get(slug="shared")

    def published() -> int:
        return int(
            sql.fetch("SELECT SUM(head) FROM workflows_head WHERE channel_id = %s", (shared.pk,))[
                0
            ][0]
        )

    _play(replays.start(flow, Wish("skip_done")))
    assert published() == 1  # it was done
    _play(replays.start(flow, Wish("run")))
    assert published() == 2
    _even(flow)


def test_what_is_done_is_not_done_again(sink: Sink) -> None:
    sink.answer = lambda call: (400 if call.json["id"] == "e1" else 200, {}, b"")
    flow = _flow_with(sink, 3)
    assert sorted(sink.ids()) == ["e0", "e1", "e2"]
    sink.answer = lambda call: (200, {}, b"")
    key = next(call.key for call in sink.calls if call.json["id"] == "e1")
    replay = _play(replays.start(flow, Wish("skip_done")))
    sink.wait_for(4)
    wait_until(lambda: _settled(flow))
    assert sink.ids()[3:] == ["e1"]
    assert sink.calls[3].key == key
    assert replays.states(replay) == {"ok": 3}
    second = _play(replays.start(flow, Wish("skip_done")))  # now it is done, too
    wait_until(lambda: _settled(flow))
    assert len(sink.calls) == 4
    assert replays.states(second) == {"ok": 3}
    _even(flow)


def test_what_was_asked_on_the_way_is_answered_as_before(sink: Sink) -> None:
    sink.answer = lambda call: (200, {}, b'{"name": "Ada"}')
    body = make.document(
        "enriched",
        [
            ("in", "producer.http", {}),
            ("who", "consumer.http", {"url": f"{sink.url}/who"}),
            _http(sink, body="data"),
        ],
        ["in:out who", "who:response call"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    _drain(flow)
    sink.wait_for(2)
    wait_until(lambda: _settled(flow))
    sink.answer = lambda call: (200, {}, b'{"name": "Bob"}')
    replay = _play(replays.start(flow, Wish("skip_done")))
    wait_until(lambda: _settled(flow))
    assert len(sink.calls) == 2
    run = runs.number("skip_done", replay.pk)
    steps = b"".join(bytes(one.steps) for one in Segment.objects.filter(run=run))
    assert b"Ada" in steps and b"Bob" not in steps


def test_a_version_that_cannot_run_fails_the_replay() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    _drain(flow)
    replay = replays.start(flow, Wish("run"))
    assert flow.published is not None
    document = {**flow.published.document, "nodes": [{"id": "in", "type": "producer.gone"}]}
    type(flow.published).objects.update(document=document)
    from workflows.storage.plans import load_plan

    load_plan.cache_clear()
    replay_slice(replay.pk)
    load_plan.cache_clear()
    replay.refresh_from_db()
    assert replay.state == "failed"
    assert "can't run" in replay.error
    assert time.time() - float(replay.ended_at or 0) < 60


REFUSALS: tuple[tuple[Wish, str], ...] = (
    (Wish("run", node="nowhere"), "node"),
    (Wish("run", channel="nowhere"), "channel"),
    (Wish("run", Selection(type="Nothing"), channel="orders.in"), ""),
    (Wish("run", Selection(ranges=(Span(99, 0, 5),))), "selection"),
)


@pytest.mark.parametrize(("wish", "field"), REFUSALS)
def test_what_cannot_be_meant_is_refused(wish: Wish, field: str) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    if not field:
        assert replays.prepare(flow, wish).total == 0
        return
    with pytest.raises(replays.Refused) as refused:
        replays.start(flow, wish)
    assert refused.value.field == field
