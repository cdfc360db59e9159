"""The figures of a replay are right at every moment, and what has ended is counted once."""

import random
from collections import Counter

import pytest

from tests import make
from tests.explain import plan_of, reads_all_of
from workflows.models import Flow, Replay, Trace
from workflows.storage import replaycounts, replays, runs
from workflows.storage.replays import Wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def replay() -> Replay:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    return replays.start(flow, Wish("run"))


def _trace(replay: Replay, number: int, state: str) -> None:
    flow: Flow = replay.flow
    Trace.objects.create(
        subscription_id=replay.subscription_id,
        partition=0,
        offset=number,
        run=runs.number(replay.mode, replay.pk),
        flow=flow,
        version=1,
        number=number,
        state=state,
        type="",
        key="",
        event_id="",
        accepted_at=0,
        taken_at=0,
        steps=b"",
    )


def _counted(replay: Replay) -> dict[str, int]:
    run = runs.number(replay.mode, replay.pk)
    return dict(Counter(Trace.objects.filter(run=run).values_list("state", flat=True)))


@pytest.mark.parametrize("remembered", [3, 500])
def test_the_figures_are_those_of_a_full_count(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(replaycounts, "_MOST_RUNNING", remembered)
    dice = random.Random(7)
    for number in range(1, 120):
        _trace(replay, number, dice.choice(["running", "running", "ok", "failed"]))
        running = list(Trace.objects.filter(state="running").values_list("number", flat=True))
        for one in dice.sample(running, min(len(running), dice.randrange(3))):
            Trace.objects.filter(number=one).update(state=dice.choice(["ok", "filtered"]))
        if dice.random() < 0.3:
            assert replaycounts.states(replay) == _counted(replay)
    Trace.objects.filter(state="running").update(state="ok")
    assert replaycounts.states(replay) == _counted(replay)


def test_what_has_ended_is_not_counted_again(replay: Replay) -> None:
    _trace(replay, 1, "running")
    for number in range(2, 12):
        _trace(replay, number, "ok")
    assert replaycounts.states(replay) == {"ok": 10, "running": 1}
    Trace.objects.filter(state="ok").delete()  # nobody looks at them any more
    _trace(replay, 12, "failed")
    assert replaycounts.states(replay) == {"ok": 10, "running": 1, "failed": 1}


def test_a_look_goes_by_the_number(replay: Replay) -> None:
    _trace(replay, 1, "running")
    replaycounts.states(replay)
    plan = plan_of(lambda: replaycounts.states(replay))
    assert "number" in plan and "run>?)" not in plan
    assert not reads_all_of("workflows_trace", plan)


def test_a_replay_without_traces_has_no_figures(replay: Replay) -> None:
    assert replaycounts.states(replay) == {}
