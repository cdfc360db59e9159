"""What can't the examples of the filters with a small memory say: expire, on change, counter?"""

from typing import Any

import pytest

from tests.nodes.watching import Watched
from workflows.engine.event import JSON, Event
from workflows.engine.keys import key_text
from workflows.engine.rehearsal import NOW


@pytest.mark.parametrize(
    ("behind", "port"),
    [(0, "fresh"), (60, "fresh"), (60.1, "expired")],
)
@pytest.mark.parametrize("since", ["accepted", "time"])
def test_age_counts_to_the_present(behind: float, port: str, since: str) -> None:
    watched = Watched("filter.expire", {"seconds": 60, "since": since})
    watched.feed(0, 1, behind=behind)
    assert watched.finish().out(port) == [1]


def test_what_is_too_old_ends_as_expired_where_nobody_takes_it() -> None:
    watched = Watched("filter.expire", {"seconds": 60}, unwired=["expired"])
    watched.feed(0, 1, behind=61)
    assert watched.finish().outcomes() == ["expired"]


def test_an_age_by_a_time_that_is_none_fails() -> None:
    watched = Watched("filter.expire", {"since": "time"})
    arrival = watched.arrival(0, Event(id="e", source="/s", type="t", time="soon", accepted_at=0))
    odd = arrival.event.replace(time="soon")
    watched.timeline.feed(type(arrival)(0, "x", odd))
    assert watched.finish().steps()[0].error == {
        "kind": "time",
        "message": '"soon" is not a time: give ISO 8601 text or Unix seconds.',
    }


@pytest.mark.parametrize(
    ("config", "values", "changed"),
    [
        ({}, [1, 1, 2], [1, 2]),
        ({}, [1, 1.0, True, "1", None], [1, True, "1", None]),  # 1 and 1.0 are the same number
        ({}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}], [{"a": 1, "b": 2}, {"a": 2}]),
        ({"deadband": 1}, [0, 0.9, 1.8, 1, 2.1], [0, 1.8]),  # 1 and 2.1 lie near 1.8
        ({"deadband_percent": 10}, [100, 109, 110, 100, 99], [100, 110, 99]),
        ({"deadband_percent": 10}, [0, 0.001, 0.001], [0, 0.001]),
        ({"deadband": 5, "deadband_percent": 10}, [100, 107, 110, 120, 121], [100, 110, 121]),
        ({"deadband": 5}, [1, "off", 1], [1, "off", 1]),
    ],
)
def test_a_change_is_what_the_deadband_says(
    config: dict[str, Any], values: list[JSON], changed: list[JSON]
) -> None:
    watched = Watched("filter.on_change", config)
    watched.feed(0, *values)
    assert watched.finish().out("changed") == changed


def test_a_large_value_is_not_kept_whole() -> None:
    watched = Watched("filter.on_change", {})
    watched.feed(0, "x" * 10_000, "x" * 10_000, "x" * 10_001)
    assert len(watched.finish().out("changed")) == 2
    state = [value for walk in watched.timeline.walks for value in walk.state.values()]
    assert all(len(str(value)) < 200 for value in state)


@pytest.mark.parametrize(
    ("kind", "config", "times", "expected"),
    [
        ("filter.on_change", {}, [0, 9.9, 10], [1, 1]),  # since the last change
        ("filter.counter", {"path": "data"}, [0, 9.9, 19.8, 29.8], [1, 2, 3, 1]),  # or event
    ],
)
def test_what_is_forgotten_begins_anew(
    kind: str, config: dict[str, Any], times: list[float], expected: list[JSON]
) -> None:
    watched = Watched(kind, {"forget_seconds": 10, **config})
    for at in times:
        watched.feed(at, 1)
    watched.finish()
    assert watched.out("changed" if kind == "filter.on_change" else "out") == expected
    watched.timeline.advance(NOW + 100)
    assert watched.timeline.surroundings.count_state() == 0


def test_a_count_goes_on_from_batch_to_batch() -> None:
    watched = Watched("filter.counter", {"every": 2, "path": "data"})
    watched.feed(0, "a", "a", "a")
    watched.feed(1, "a", "a", "a")
    assert watched.finish().out() == [2, 4, 6]
    assert len(watched.out("other")) == 3


def test_state_is_kept_under_its_readable_key_and_never_goes_back() -> None:
    config = {"key": "event.data[0]", "value": "event.data[1]", "previous_path": "data"}
    watched = Watched("filter.state", config)
    watched.feed_all([(0, ["pump 7", 1]), (5, ["pump 7", 2]), (3, ["pump 7", 9]), (6, [8, 3])])
    assert watched.finish().out() == [None, 1, 2, None]
    (walk,) = watched.timeline.walks
    kept = {key: value["value"] for (_, key), (value, _) in walk.state.items()}
    assert kept == {"pump 7": 2, "8": 3}


def test_a_key_that_does_not_fit_a_column_is_made_to() -> None:
    watched = Watched("filter.state", {"key": "event.data"})
    watched.feed(0, "x" * 300, "x" * 301)
    watched.finish()
    keys = [key for _, key in watched.timeline.walks[0].state]
    assert len(set(keys)) == 2
    assert all(len(key) <= 200 for key in keys)
    assert "\0" not in key_text("a\0b")


def test_a_value_that_is_too_large_to_keep_fails() -> None:
    watched = Watched("filter.state", {"key": "'k'"})
    watched.feed(0, "x" * 70_000)
    assert watched.finish().events("error")[0].extensions["errorkind"] == "limit"
