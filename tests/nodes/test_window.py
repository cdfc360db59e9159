"""Is every event in the windows that it belongs to, whenever the flow gets to it?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.watching import Watched
from workflows.engine.rehearsal import NOW
from workflows.nodes.filters.window import Window

# NOW lies 20 s into a minute.
TIMES = st.lists(st.floats(0, 300).map(lambda at: round(at, 2)), max_size=30).map(sorted)
TOTAL = [{"name": "total", "function": "sum", "value": "event.data"}]


def window(**config: Any) -> Watched:
    return Watched("filter.window", config)


def spans(watched: Watched) -> list[tuple[str, str, int]]:
    return [(one["start"][14:-1], one["end"][14:-1], one["count"]) for one in watched.out()]


@pytest.mark.parametrize(
    ("config", "events", "expected"),
    [
        ({"seconds": 60}, [0, 39, 40], [("13:00", "14:00", 2), ("14:00", "15:00", 1)]),
        (
            {"kind": "sliding", "seconds": 60, "every_seconds": 30},
            [0, 20],  # the first lies in 12:30 and 13:00, the second in 13:00 and 13:30
            [("12:30", "13:30", 1), ("13:00", "14:00", 2), ("13:30", "14:30", 1)],
        ),
        (
            {"kind": "session", "gap_seconds": 10, "seconds": 3600},
            [0, 9, 18, 28],  # a gap of ten is over after ten
            [("13:20", "13:48", 3), ("13:48", "13:58", 1)],
        ),
        (
            {"kind": "session", "gap_seconds": 10, "seconds": 15},
            [0, 9, 14, 15],  # no longer than allowed
            [("13:20", "13:35", 3), ("13:35", "13:45", 1)],
        ),
        (
            {"kind": "count", "count": 3, "seconds": 20},
            [0, 1, 2, 3, 4, 23],  # the second window runs out of time
            [("13:20", "13:22", 3), ("13:23", "13:43", 2), ("13:43", "14:03", 1)],
        ),
    ],
)
@pytest.mark.parametrize("catching_up", [False, True])
def test_events_fall_into_windows(
    config: dict[str, Any], events: list[float], expected: list[Any], catching_up: bool
) -> None:
    watched = window(**config)
    if catching_up:
        watched.feed_all([(at, 1) for at in events])
    else:
        for at in events:
            watched.feed(at, 1)
    assert spans(watched.finish()) == expected


@pytest.mark.parametrize(
    ("events", "counts", "late"),
    [
        # (accepted, time in the event); windows of 10 s that wait 5 s
        ([(100, 100), (104, 102), (114.9, 109)], [3], 0),
        ([(100, 100), (115, 109)], [1], 1),  # its window closed at 115
        ([(100, 100), (101, 110), (114, 109)], [2, 1], 0),  # out of order, but in time
        ([(100, 20), (104, 21), (105, 22)], [2], 1),  # old ones wait 5 s from the first
        ([(100, 50), (101, 20), (104, 25)], [1, 2], 0),  # in any order
        ([(100, 150), (120, 145)], [1, 1], 0),  # ahead of time
    ],
)
def test_late_events_are_waited_for_and_then_set_aside(
    events: list[tuple[float, float]], counts: list[int], late: int
) -> None:
    watched = window(time=f"event.data + {NOW:.0f}", seconds=10, lateness_seconds=5)
    for accepted, at in events:
        watched.feed(accepted, float(at))
    watched.finish()
    assert [one["count"] for one in watched.out()] == counts
    assert len(watched.out("late")) == late


def test_an_event_between_two_sessions_makes_them_one() -> None:
    config = {"kind": "session", "gap_seconds": 10, "seconds": 3600, "lateness_seconds": 60}
    watched = window(time=f"event.data + {NOW:.0f}", values=TOTAL, **config)
    for accepted, at in ((0, 1.0), (1, 15.0), (2, 8.0), (3, 40.0)):
        watched.feed(accepted, at)
    watched.finish()
    assert [(one["count"], one["total"]) for one in watched.out()] == [(3, 24.0), (1, 40.0)]
    assert watched.outcomes() == ["passed", "batched", "batched", "passed"]


@given(TIMES, st.sampled_from([1, 7.3, 60, 0.1]), st.booleans())
def test_every_event_is_in_exactly_one_tumbling_window(
    times: list[float], size: float, catching_up: bool
) -> None:
    watched = window(seconds=size, values=TOTAL)
    if catching_up:
        watched.feed_all([(at, 1) for at in times])
    else:
        for at in times:
            watched.feed(at, 1)
    watched.finish()
    ids = [event_id for one in watched.out() for event_id in one["ids"]]
    assert sorted(ids) == sorted(f"e{n}" for n in range(len(times)))
    assert sum(one["total"] for one in watched.out()) == len(times)
    assert len({event.id for event in watched.events()}) == len(watched.out())


@given(st.lists(st.tuples(st.floats(0, 99), st.floats(-50, 50)), max_size=25))
def test_every_event_is_counted_or_late(events: list[tuple[float, float]]) -> None:
    watched = window(time=f"event.data + {NOW:.0f}.0", seconds=10, lateness_seconds=3)
    for accepted, shift in sorted(events):
        watched.feed(accepted, accepted + shift)
    watched.finish()
    counted = sum(one["count"] for one in watched.out())
    assert counted + len(watched.out("late")) == len(events)
    assert len({one["start"] for one in watched.out()}) == len(watched.out())


@given(TIMES, st.integers(1, 24))
def test_every_event_is_in_all_sliding_windows_over_it(times: list[float], overlap: int) -> None:
    watched = window(kind="sliding", seconds=24, every_seconds=24 / overlap)
    for at in times:
        watched.feed(at, 1)
    watched.finish()
    if overlap in (1, 2, 3, 4, 6, 8, 12, 24):
        assert sum(one["count"] for one in watched.out()) == overlap * len(times)


def test_a_window_waits_until_a_backlog_is_read() -> None:
    watched = window(seconds=60)
    for second in range(20):  # an hour late, a few a second
        watched.feed(second, "a", "b", behind=3600)
    assert watched.out() == []
    watched.feed(100, "c", behind=3522)
    watched.timeline.advance(NOW + 3626)  # the rest of the backlog is later than the window
    assert len(watched.out()) == 1
    watched.finish()
    assert spans(watched) == [("13:00", "14:00", 40), ("15:00", "16:00", 1)]


def test_keys_have_windows_of_their_own_and_memory_is_given_back() -> None:
    watched = window(key="event.data", seconds=60)
    watched.feed(0, "a", "b", "a", 1, "1")
    watched.finish()
    counts = [(one["key"], one["count"]) for one in watched.out()]
    assert sorted(counts, key=str) == [("1", 1), ("a", 2), ("b", 1), (1, 1)]
    assert [event.partitionkey for event in watched.events()] == ["a", "b", "1", "1"]
    watched.timeline.advance(NOW + 40 * 86_400)
    assert watched.timeline.surroundings.count_state() == 0


def test_what_does_not_fit_fails_for_its_event_alone() -> None:
    watched = window(values=TOTAL)
    watched.feed(0, 1, "two", 3)
    watched.finish()
    assert watched.out()[0]["total"] == 4
    assert watched.out("error") == ["two"]


def test_ids_are_bounded_and_the_count_is_not() -> None:
    watched = window(values=[{"name": "all", "function": "list"}])
    watched.feed(0, *range(1_200))
    (data,) = watched.finish().out()
    assert (data["count"], len(data["ids"]), len(data["all"])) == (1_200, 1_000, 1_000)
    assert data["left_out"] == {"all": 200}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"kind": "sliding"}, "every_seconds"),
        ({"kind": "sliding", "seconds": 60, "every_seconds": 2}, "every_seconds"),  # 30 at a time
        ({"kind": "session"}, "gap_seconds"),
        ({"kind": "session", "seconds": 5, "gap_seconds": 6}, "gap_seconds"),
        ({"kind": "count", "count": 1}, "count"),
        ({"kind": "count", "count": 2, "time": "event.time"}, "time"),
        ({"lateness_seconds": 5}, "lateness_seconds"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(config: dict[str, Any], field: str) -> None:
    node = Window(Window.Config.model_validate(config))
    assert [name for name, _ in node.check()] == [field]
