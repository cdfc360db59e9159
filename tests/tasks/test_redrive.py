"""Runs over dead letters: in slices, never twice, stopped and paced as asked."""

import itertools
from collections.abc import Iterator

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import (
    DeadGroup,
    DeadLetter,
    Flow,
    Redrive,
    Subscription,
    Trace,
)
from workflows.storage import (
    accounting,
    deadletters,
    publishing,
    redriveorder,
    redrives,
    redrivework,
)
from workflows.storage.deadgroups import Wanted
from workflows.storage.redrivework import Progress
from workflows.tasks import redrive
from workflows.tasks.drain import drain_slice

ALL = Wanted()


def failing(slug: str = "failing") -> Flow:
    """A flow that fails for each event without an amount."""
    return make.published(make.order_document(slug))


def mended(flow: Flow) -> None:
    """A version that takes what the first one couldn't."""
    body = make.order_document(flow.slug)
    body["nodes"][1]["config"] = {"condition": "true"}
    body["nodes"][2]["config"] = {"set": {"data.seen": "true"}}
    publishing.publish(flow, body)


def kill(flow: Flow, count: int, first: int = 0) -> list[int]:
    """Send so many events that die; the ids of their letters."""
    known = set(DeadLetter.objects.values_list("pk", flat=True))
    bodies = [make.event(f"{flow.slug}-{first + i}", data={"note": i}) for i in range(count)]
    make.append(flow, bodies)
    for subscription in Subscription.objects.filter(flow=flow):
        while drain_slice(subscription.pk):
            pass
    found = DeadLetter.objects.exclude(pk__in=known).order_by("pk")
    return list(found.values_list("pk", flat=True))


def start(*letters: int, wanted: Wanted = ALL, **order: object) -> Redrive:
    asked = redrives.Order(wanted, letters, **order)  # type: ignore[arg-type]
    return redrives.start(make.workspace().pk, "olga", asked)


def states() -> list[str]:
    return list(DeadLetter.objects.order_by("pk").values_list("state", flat=True))


def figures(run: Redrive) -> tuple[str, int, int, int, int]:
    run.refresh_from_db()
    return run.state, run.total, run.done, run.ok, run.failed


@pytest.fixture(autouse=True)
def _groups_are_right() -> Iterator[None]:
    """Whatever a test does: the groups count what is there."""
    yield
    for group in DeadGroup.objects.all():
        alike = DeadLetter.objects.filter(flow=group.flow_id, fingerprint=group.fingerprint)
        assert group.open == alike.filter(state="open").count()


def test_a_filter_takes_up_its_letters_and_each_tells_what_came_of_it() -> None:
    flow, other = failing(), failing("other")
    kill(flow, 250)
    kill(other, 2)
    mended(flow)
    count = redrives.count(make.workspace().pk, Wanted(flow="failing"))
    assert count == (1, 250)
    run = make.redrive(wanted=Wanted(flow="failing"))
    assert figures(run) == ("done", 250, 250, 250, 0)
    assert run.ended_at is not None
    for letter in DeadLetter.objects.filter(flow=flow):
        assert (letter.state, letter.closed_by, letter.outcome) == ("redriven", "olga", "ok")
        ref = (letter.subscription_id, letter.partition, letter.offset, letter.rerun)
        assert Trace.objects.get(pk=ref).state == "ok"
    assert set(DeadLetter.objects.filter(flow=other).values_list("state", flat=True)) == {"open"}
    assert accounting.examine(flow.pk, 10_000).findings == []


def test_letters_that_die_again_are_not_taken_up_by_the_same_run() -> None:
    kill(failing(), 3)
    run = make.redrive()
    assert figures(run) == ("done", 3, 3, 0, 3)
    assert states() == ["redriven"] * 3 + ["open"] * 3


def test_two_runs_share_the_letters_and_take_none_twice() -> None:
    flow = failing()
    kill(flow, 150)
    mended(flow)
    runs = [start(), start(wanted=Wanted(flow="failing"))]
    taken = [redrivework.take(run.pk, f"worker {run.pk}") for run in runs]
    for run in itertools.chain(*[taken] * 3):  # by turns, each having looked before the other acted
        assert run is not None
        run, letters = redriveorder.next_letters(run, 100)
        if letters:
            redrive._take_up(run, letters)
    assert Trace.objects.filter(run__gt=0).count() == 150
    assert Trace.objects.filter(run__gt=1).count() == 0
    assert set(states()) == {"redriven"}
    assert sum(Redrive.objects.values_list("done", flat=True)) == 150


def test_a_letter_that_somebody_else_takes_meanwhile_is_left_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = failing()
    ids = kill(flow, 5)
    mended(flow)
    run = start()
    claim = deadletters.claim

    def slow(workspace_id: int, letters: list[int]) -> list[deadletters.Claimable]:
        found = claim(workspace_id, letters)
        deadletters.discard(ids[2:3], "pat")
        return found

    monkeypatch.setattr(deadletters, "claim", slow)
    while redrive.work_on(run.pk):
        pass
    assert figures(run) == ("done", 5, 4, 4, 0)
    assert states() == ["redriven", "redriven", "discarded", "redriven", "redriven"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_worker_that_dies_in_a_slice_loses_and_repeats_nothing(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the commit nothing has happened; after it, all of the batch has."""
    flow = failing()
    kill(flow, 130)
    mended(flow)
    run = start()
    commit = redrivework.commit

    def die(*args: object) -> object:
        if place == "after":
            commit(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(redrivework, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            redrive.work_on(run.pk)
    assert figures(run) == ("running", 130, 0, 0, 0)  # the transaction was never committed
    assert redrivework.due() == []
    Redrive.objects.update(due_at=0)  # the dead worker's lease runs out
    assert redrivework.due() == [run.pk]
    while redrive.work_on(run.pk):
        pass
    assert figures(run) == ("done", 130, 130, 130, 0)
    assert Trace.objects.filter(run=1).count() == 130
    assert Trace.objects.filter(run__gt=1).count() == 0


def test_a_worker_whose_lease_was_taken_over_changes_nothing() -> None:
    flow = failing()
    kill(flow, 5)
    mended(flow)
    run = start()
    slow = redrivework.take(run.pk, "slow")
    assert slow is not None
    Redrive.objects.update(due_at=0)
    assert redrivework.take(run.pk, "quick") is not None
    slow, letters = redriveorder.next_letters(slow, 100)
    with pytest.raises(redrivework.Lost):
        redrive._take_up(slow, letters)
    assert states() == ["open"] * 5
    assert not Trace.objects.filter(run__gt=0).exists()


def test_a_cancelled_run_takes_up_no_more() -> None:
    flow = failing()
    kill(flow, 150)
    run = start()
    taken = redrivework.take(run.pk, "worker")
    assert taken is not None
    taken, letters = redriveorder.next_letters(taken, 100)
    taken, _ = redrive._take_up(taken, letters)
    assert redrives.cancel(run.workspace_id, run.pk)
    assert not redrives.cancel(run.workspace_id, run.pk)
    with pytest.raises(redrivework.Lost):
        redrive._take_up(*redriveorder.next_letters(taken, 100))
    redrivework.give_back(taken, 0.0)
    redrive.work_on(run.pk)
    assert figures(run) == ("cancelled", 150, 100, 0, 100)
    assert run.ended_at is not None
    assert states().count("open") == 50 + 100


def test_a_run_that_stops_on_errors_leaves_the_rest_alone() -> None:
    kill(failing(), 100)
    run = make.redrive(stop_after=3)
    assert run.state == "stopped"
    assert "died again" in run.says
    assert 3 <= run.failed == run.done <= 10
    assert run.ended_at is not None


def test_a_careful_run_waits_for_outcomes_that_take_long(sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no such customer")
    consumer: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/orders"})
    flow = make.published(make.order_document(consumer=consumer))
    make.append(flow, [make.event(str(i)) for i in range(40)])
    for subscription in Subscription.objects.filter(flow=flow):
        drain_slice(subscription.pk)
    wait_until(lambda: DeadLetter.objects.count() == 40)
    run = start(stop_after=1)

    def is_over() -> bool:
        Redrive.objects.update(due_at=0)
        redrive.work_on(run.pk)
        run.refresh_from_db()
        return run.ended_at is not None

    wait_until(is_over)
    assert run.state == "stopped"
    assert 1 <= run.failed == run.done <= 20
    assert set(DeadLetter.objects.filter(redrive=run).values_list("outcome", flat=True)) == {
        "failed"
    }


def test_a_paced_run_takes_so_many_a_second() -> None:
    flow = failing()
    kill(flow, 10)
    mended(flow)
    run = start(rate=4)
    redrive.work_on(run.pk)
    assert figures(run)[2] == 2  # half a second's worth
    assert redrivework.due() == []
    Redrive.objects.update(due_at=0)
    redrive.work_on(run.pk)
    assert figures(run)[2] == 4


def without_big(slug: str) -> dict[str, object]:
    return make.document(
        slug, [("in", "producer.http", {}), ("end", "consumer.log", {})], ["in:out end"]
    )


# is the node in the published version, on the one it failed on -> version that runs it
VERSIONS = [(True, False, 2), (True, True, 1), (False, False, 1), (False, True, 1)]


@pytest.mark.parametrize(("is_there", "as_failed", "version"), VERSIONS)
def test_the_published_version_runs_it_where_it_has_the_node(
    is_there: bool, as_failed: bool, version: int
) -> None:
    flow = failing()
    kill(flow, 1)
    if is_there:
        mended(flow)
    else:
        publishing.publish(flow, without_big(flow.slug))
    make.redrive(as_failed=as_failed)
    assert Trace.objects.get(run=1).version == version


def test_discards_take_the_same_filters() -> None:
    flow, other = failing(), failing("other")
    kill(flow, 1_100)
    kill(other, 1)
    run = make.redrive(wanted=Wanted(flow="failing"), act="discard")
    assert figures(run)[:3] == ("done", 1_100, 1_100)
    assert run.ended_at is not None
    closed = DeadLetter.objects.filter(state="discarded", closed_by="olga", redrive=run)
    assert closed.count() == 1_100
    assert not Trace.objects.filter(run__gt=0).exists()


def test_letters_of_other_workspaces_are_left_out() -> None:
    flow = make.published(make.order_document("theirs"), make.workspace("elsewhere"))
    ids = kill(flow, 2)
    for act in ("redrive", "discard"):
        assert figures(make.redrive(*ids, act=act))[:3] == ("done", 0, 0)
        assert figures(make.redrive(act=act))[:3] == ("done", 0, 0)
    assert states() == ["open", "open"]


def test_since_leaves_older_letters_alone() -> None:
    flow = failing()
    old = kill(flow, 2)
    DeadLetter.objects.update(dead_at=1_000.0)
    kill(flow, 3, first=2)
    wanted = Wanted(since=2_000.0)
    assert redrives.count(make.workspace().pk, wanted).letters == 3
    assert figures(make.redrive(wanted=wanted))[:3] == ("done", 3, 3)
    assert set(DeadLetter.objects.filter(pk__in=old).values_list("state", flat=True)) == {"open"}


def test_two_letters_of_one_event_run_as_two_runs_of_its_trace() -> None:
    nodes = [
        ("in", "producer.http", {}),
        ("parts", "filter.split", {"items": "event.data.parts"}),
        ("big", "filter.condition", {"condition": "event.data.amount > 100"}),
        ("end", "consumer.log", {}),
    ]
    wires = ["in:out parts", "parts:out big", "big:match end"]
    flow = make.published(make.document("split", nodes, wires))
    make.append(flow, [make.event("e", data={"parts": [{"a": 1}, {"a": 2}]})])
    for subscription in Subscription.objects.filter(flow=flow):
        drain_slice(subscription.pk)
    assert figures(make.redrive())[:3] == ("done", 2, 2)
    assert set(Trace.objects.values_list("run", flat=True)) == {0, 1, 2}
    assert accounting.examine(flow.pk, 10_000).findings == []


def test_what_nobody_can_run_is_skipped_and_stays_open() -> None:
    flow = failing()
    first, second = kill(flow, 2)
    DeadLetter.objects.filter(pk=first).update(node="nowhere")
    run = make.redrive()
    assert figures(run) == ("done", 2, 1, 0, 1)
    assert run.skipped == 1
    assert run.says == "1 couldn't be run, and stays open."
    assert DeadLetter.objects.get(pk=first).state == "open"
    assert DeadLetter.objects.get(pk=second).state == "redriven"


def test_old_closed_letters_are_forgotten_with_their_runs() -> None:
    flow = failing()
    kill(flow, 3)
    make.redrive(DeadLetter.objects.order_by("pk")[0].pk, act="discard")
    deadletters.forget()
    assert DeadLetter.objects.count() == 3
    DeadLetter.objects.filter(state="discarded").update(closed_at=1.0)
    Redrive.objects.update(ended_at=1.0)
    deadletters.forget()
    assert states() == ["open", "open"]
    assert not Redrive.objects.exists()


def test_progress_of_a_run_that_is_not_ours_is_refused() -> None:
    kill(failing(), 1)
    run = redrivework.take(start().pk, "worker")
    assert run is not None
    with pytest.raises(redrivework.Lost):
        redrivework.move(run._replace(taken=run.taken - 1), Progress())
