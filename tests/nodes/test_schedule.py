"""Is a schedule due when its cron line or interval says?"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from workflows.nodes.producers.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")


def schedule(**config: Any) -> Schedule:
    return Schedule(Schedule.Config.model_validate(config))


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2024-05-03T08:59:00", "2024-05-03T09:00:00"),
        ("2024-05-03T09:00:00", "2024-05-06T09:00:00"),  # strictly later, and not on Saturday
        ("2024-03-29T09:30:00", "2024-04-01T09:00:00"),  # over the change to summer time
    ],
)
def test_a_cron_line_counts_in_its_time_zone(after: str, due: str) -> None:
    node = schedule(cron="0 9 * * 1-5", timezone="Europe/Berlin")
    start = datetime.fromisoformat(after).replace(tzinfo=BERLIN).timestamp()
    expected = datetime.fromisoformat(due).replace(tzinfo=BERLIN).timestamp()
    assert node.next_due(start) == expected


@pytest.mark.parametrize("every", [1, 1.1, 7.3, 60, 86_400])
def test_an_interval_always_leads_on(every: float) -> None:
    node = schedule(every_seconds=every)
    moment = 1_700_000_000.0
    for _ in range(100):
        due = node.next_due(moment)
        assert due is not None
        assert 0 < due - moment <= every * 1.001
        moment = due


@pytest.mark.parametrize(
    "config",
    [
        {"cron": "nonsense"},
        {"cron": "0 0 30 2 *"},
        {"timezone": "Mars/Base"},
        {"timezone": "../etc/passwd"},
        {"every_seconds": 0.5},
    ],
)
def test_what_never_comes_due_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schedule(**config)


@pytest.mark.parametrize("config", [{}, {"cron": "* * * * *", "every_seconds": 60}])
def test_it_needs_one_of_both(config: dict[str, Any]) -> None:
    assert schedule(**config).check()[0][0] == "cron"


def test_the_same_moment_makes_the_same_event() -> None:
    node = schedule(every_seconds=60, data={"n": 1}, event_type="tick")
    assert node.make(1_700_000_040.0, "seed") == node.make(1_700_000_040.0, "seed")
    (event,) = node.make(1_700_000_040.0, "seed")
    assert (event.type, event.time, event.data) == ("tick", "2023-11-14T22:14:00Z", {"n": 1})
    assert event.id != node.make(1_700_000_100.0, "seed")[0].id


def test_a_missed_moment_is_made_up_for_once_unless_told_otherwise() -> None:
    assert schedule(every_seconds=60).missed() == "once"
    assert schedule(every_seconds=60, missed="skip").missed() == "skip"
