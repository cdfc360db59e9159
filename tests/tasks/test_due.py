"""Is what is due done in time, once, and without anybody else having to wait for it?"""

import time

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.tasks.due import drain, fire_all
from workflows.models import Counter, Flow, Held, Redrive, Replay, Trace
from workflows.storage import flows, redrives, replays
from workflows.storage.deadgroups import Wanted
from workflows.storage.moments import seconds_to_next
from workflows.storage.replays import Wish
from workflows.tasks import clock
from workflows.tasks.redrive import work_on
from workflows.tasks.waker import Waker, pause_before_look


def _delayed(slug: str, seconds: float) -> Flow:
    nodes = [
        ("in", "producer.http", {}),
        ("wait", "filter.delay", {"seconds": seconds}),
        ("end", "consumer.log", {}),
    ]
    return make.published(make.document(slug, nodes, ["in:out wait", "wait:out end"]))


def test_the_waker_asks_when_something_is_due_and_not_before() -> None:
    asked: list[float] = []
    assert seconds_to_next() is None
    waker = Waker(lambda: asked.append(time.time()))
    try:
        flow = _delayed("late", 0.7)
        make.append(flow, [make.event("a")])
        drain(flow)
        due = Held.objects.get().due_at
        wait_until(lambda: asked, 5)
    finally:
        waker.stop()
    assert asked[0] >= due


@pytest.mark.parametrize(
    ("left", "pause"),
    [
        (None, 0.2),  # what is parked meanwhile may be due before anything that is known now
        (60.0, 0.2),
        (0.15, 0.15),  # exactly when it is due
        (0.0, 0.05),  # a worker has just been asked
        (-3.0, 0.05),
    ],
)
def test_the_waker_never_sleeps_beyond_the_next_moment(left: float | None, pause: float) -> None:
    assert pause_before_look(left) == pause


def test_nothing_of_a_paused_flow_is_due() -> None:
    flow = _delayed("late", 0.1)
    make.append(flow, [make.event("a")])
    drain(flow)
    flows.set_paused(flow, True)
    wait_until(lambda: Held.objects.get().due_at < time.time())
    assert seconds_to_next() is None
    flows.set_paused(flow, False)
    assert (seconds_to_next() or 0) < 0


def test_a_run_over_letters_is_due_like_other_work() -> None:
    flow = _delayed("late", 0.1)
    run = redrives.start(flow.workspace_id, "olga", redrives.Order(Wanted()))
    assert (seconds_to_next() or 0) <= 0
    Redrive.objects.update(due_at=time.time() + 60)
    assert 50 < (seconds_to_next() or 0) < 61
    Redrive.objects.update(due_at=0)
    while work_on(run.pk):
        pass
    assert seconds_to_next() is None


@pytest.mark.parametrize(("mode", "waits"), [("run", True), ("shadow", False)])
def test_a_replay_is_due_unless_somebody_has_it_or_its_flow_is_paused(
    mode: str, waits: bool
) -> None:
    flow = _delayed("late", 0.1)
    make.append(flow, [make.event("a")])
    replays.start(flow, Wish(mode))
    assert (seconds_to_next() or 0) <= 0
    Replay.objects.update(lease_until=time.time() + 60)
    assert 50 < (seconds_to_next() or 0) < 61
    flows.set_paused(flow, True)
    assert (seconds_to_next() is None) is waits


def test_ten_thousand_that_are_due_at_once_go_in_slices_and_each_once() -> None:
    count = 10_000
    flow, other = _delayed("late", 1), make.published(make.order_document("live"))
    for start in range(0, count, 1_000):
        make.append(flow, [make.event(str(n)) for n in range(start, start + 1_000)])
    drain(flow)
    Held.objects.update(due_at=time.time() - 1)
    turns: list[float] = []
    while True:
        begun = time.monotonic()
        is_left = clock.tick()
        turns.append(time.monotonic() - begun)
        make.append(other, [make.event(f"live-{len(turns)}")])
        drain(other)
        if not is_left:
            break
    fire_all()
    assert max(turns) < clock.SLICE_SECONDS + 1.0
    assert Trace.objects.filter(flow=other, state="ok").count() == len(turns)
    assert Trace.objects.filter(flow=flow, state="ok").count() == count
    delivered = Counter.objects.filter(flow=flow, node="end", name="delivered")
    assert sum(delivered.values_list("n", flat=True)) == count
    assert_balanced(flow)
