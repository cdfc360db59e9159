"""Which moments count when a timer comes late, and with which ids?"""

import time
from typing import Any

import pytest

from tests import make
from tests.tasks.due import drain, fire_all
from workflows.engine.node import Producer
from workflows.models import Event, Flow, Subscription, Timer, Trace
from workflows.nodes.registry import node_types
from workflows.storage import flows, publishing
from workflows.tasks.missed import moments

HOUR = 3_600.0


def _schedule(**config: Any) -> Producer:
    kind = node_types()["producer.schedule"]
    made = kind(kind.Config.model_validate(config))
    assert isinstance(made, Producer)
    return made


@pytest.mark.parametrize(
    ("policy", "late", "count"),
    [
        ("skip", 0.1, 1),  # only late, not missed
        ("skip", 8.0, 5),
        ("skip", HOUR, 5),  # those of the last ten seconds aren't missed
        ("once", 0.1, 1),
        ("once", HOUR, 6),
        ("all", 0.1, 1),
        ("all", 100.0, 51),
    ],
)
def test_missed_moments_count_as_the_policy_says(policy: str, late: float, count: int) -> None:
    schedule = _schedule(every_seconds=2, missed=policy)
    due = 1_000_000.0
    found, following = moments(schedule, due, due + late)
    assert len(found) == count
    assert following == due + late // 2 * 2 + 2
    assert all(moment % 2 == 0 and due <= moment <= due + late for moment in found)


def test_all_moments_of_a_long_time_are_made_up_for_in_turns() -> None:
    schedule = _schedule(every_seconds=2, missed="all")
    due: float | None = 1_000_000.0
    found: list[float] = []
    while due is not None and due <= 1_000_000.0 + HOUR:
        part, due = moments(schedule, due, 1_000_000.0 + HOUR)
        found += part
    assert found == [1_000_000.0 + 2 * n for n in range(1_801)]


@pytest.mark.parametrize("policy", ["skip", "once"])
def test_a_year_of_missed_moments_takes_no_time(policy: str) -> None:
    schedule = _schedule(every_seconds=1, missed=policy)
    begun = time.perf_counter()
    found, _ = moments(schedule, 0.0, 365 * 24 * HOUR)
    assert len(found) <= 12
    assert time.perf_counter() - begun < 0.5


def test_the_last_missed_moment_of_a_rare_schedule_is_found() -> None:
    schedule = _schedule(cron="0 9 1 * *", missed="once")
    january, march = 1_704_099_600.0, 1_709_283_600.0  # the first of the month, at nine
    found, following = moments(schedule, january, march + HOUR)
    assert found == [march]
    assert following == 1_711_962_000.0


def _late_schedule(policy: str, minutes: int) -> tuple[Flow, float]:
    """A flow that was to start every minute, and didn't for some; the first moment missed."""
    body = make.document(
        "often",
        [
            ("in", "producer.schedule", {"every_seconds": 60, "missed": policy}),
            ("end", "consumer.log", {}),
        ],
        ["in:out end"],
    )
    flow = make.published(body)
    since = time.time() // 60 * 60 - minutes * 60
    Timer.objects.update(due_at=since)
    return flow, since


@pytest.mark.parametrize(
    ("policy", "counts"), [("skip", (0, 1)), ("once", (1, 2)), ("all", (5, 6))]
)
def test_missed_ticks_of_a_schedule_become_events(policy: str, counts: tuple[int, int]) -> None:
    flow, _ = _late_schedule(policy, 4)  # the newest moment may not be missed yet, only late
    fire_all()
    fire_all()
    drain(flow)
    ids = sorted(Event.objects.values_list("event_id", flat=True))
    assert len(ids) in counts
    assert all(name.startswith(f"{flow.workspace_id}/often/in/") for name in ids)
    assert Trace.objects.filter(state="ok").count() == len(ids)


def test_publishing_keeps_a_moment_that_is_due() -> None:
    flow, since = _late_schedule("all", 1)
    document = flows.draft_document(flow.workspace_id, "often")
    assert document is not None
    publishing.publish(flow, document)
    assert Timer.objects.get().due_at == since
    fire_all()
    assert Event.objects.filter(event_id=f"{flow.workspace_id}/often/in/{since:.3f}").exists()


def test_a_timer_that_cannot_make_its_events_says_so_and_goes_on() -> None:
    body = make.document(
        "sim",
        [
            ("in", "producer.simulator", {"rate": 1, "data": "${1 / (n - n)}"}),
            ("end", "consumer.log", {}),
        ],
        ["in:out end"],
    )
    make.published(body)
    Timer.objects.update(due_at=time.time() // 1)
    fire_all()
    timer = Timer.objects.get(subscription=Subscription.objects.get())
    assert timer.due_at > time.time() - 1
    assert timer.error
    assert not Event.objects.exists()
