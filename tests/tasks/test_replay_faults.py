"""A replay that is killed, cancelled, paced or made to wait loses nothing and doubles nothing."""

import contextlib

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.killing import Killed, kill_at
from tests.tasks.replaying import drain, even, flow_with, play, settled, taken
from workflows.models import Effect, Flow, Replay
from workflows.storage import accounting, replays, replaywork, sql
from workflows.storage.replays import Wish
from workflows.tasks import jobs
from workflows.tasks.replay import replay_slice


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
    drain(flow)
    wanted = sorted((place.partition, place.offset) for place in places)
    nth, was_killed = 0, True
    while was_killed:
        nth += 1
        replay = replays.start(flow, Wish(mode))
        with monkeypatch.context() as patched:
            seen = kill_at(patched, nth)
            with contextlib.suppress(Killed):
                replay_slice(replay.pk)
            was_killed = seen[0] >= nth
        Replay.objects.update(lease_until=0)  # the lease of the dead process runs out
        ended = play(replay)
        assert (ended.state, ended.done, taken(ended)) == ("done", 6, wanted), nth
    assert nth > 10
    assert accounting.examine(flow.pk, 100_000).findings == []


def test_what_was_committed_before_a_kill_is_still_performed(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_with(sink, 3)
    replay = replays.start(flow, Wish("run"))
    with monkeypatch.context() as patched:
        patched.setattr("workflows.tasks.replay.performer", lambda: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            replay_slice(replay.pk)
    Replay.objects.update(lease_until=0)
    play(replay)
    wait_until(lambda: settled(flow))
    assert len(sink.calls) == 6
    even(flow)


def test_a_cancelled_replay_takes_nothing_more(sink: Sink) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{i}") for i in range(20)])
    drain(flow)
    replay = replays.start(flow, Wish("run", rate=1.0))
    replay_slice(replay.pk)
    replay.refresh_from_db()
    assert replay.done == 1
    assert replays.cancel(replay.pk)
    assert not replays.cancel(replay.pk)
    Replay.objects.update(due_at=0)
    assert not replay_slice(replay.pk)
    assert len(taken(replay)) == 1
    assert replaywork.due() == []
    even(flow)


def test_a_slice_under_way_when_its_replay_is_cancelled_changes_nothing() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    drain(flow)
    replay = replays.start(flow, Wish("run"))
    job = replaywork.lease(replay.pk, "slow")
    assert job is not None
    replays.cancel(replay.pk)
    from workflows.tasks import replay as task

    with pytest.raises(task.Fenced):
        task._batch(job)
    assert taken(replay) == []


def test_the_pace_is_kept() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{i}") for i in range(50)])
    drain(flow)
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
    drain(flow)
    other = make.published(make.order_document("other"))
    make.append(other, [make.event("live")])
    replay = replays.start(flow, Wish("run"))
    replay_slice(replay.pk)
    assert taken(replay) == []
    Replay.objects.update(due_at=0, moved_at=sql.database_now() - 10)
    replay_slice(replay.pk)
    assert 0 < len(taken(replay)) < 100
    drain(other)
    assert play(replay).done == 100


def test_a_replay_waits_while_its_effects_do(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaywork, "_MOST_PARKED", 10)
    monkeypatch.setattr(replaywork, "BATCH", 10)
    flow = flow_with(sink, 40)
    sink.answer = lambda call: (503, {}, b"")
    replay = replays.start(flow, Wish("run"))
    replay_slice(replay.pk)
    Replay.objects.update(due_at=0)
    replay_slice(replay.pk)
    assert 10 <= len(taken(replay)) <= 20
    assert Effect.objects.filter(flow=flow).count() <= 20


def test_a_paused_flow_is_not_replayed_until_it_goes_on() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    drain(flow)
    Flow.objects.update(paused=True)
    replay = replays.start(flow, Wish("run"))
    assert replaywork.due() == []
    assert not replay_slice(replay.pk)
    Flow.objects.update(paused=False)
    assert play(replay).done == 1


def test_the_tick_finds_what_waits() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    drain(flow)
    replay = replays.start(flow, Wish("run"))
    assert replaywork.due() == [replay.pk]
    jobs.replay(replay.pk)
    assert replaywork.due() == []
    assert len(taken(replay)) == 1
