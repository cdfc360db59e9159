"""Does no stretch of time ever see more events than allowed?"""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.watching import Watched
from workflows.engine.rehearsal import NOW
from workflows.engine.run import run

TIMES = st.lists(st.floats(0, 30).map(lambda at: round(at, 1)), max_size=40).map(sorted)


def throttle(**config: Any) -> Watched:
    return Watched("filter.throttle", config)


@pytest.mark.parametrize(
    ("config", "events", "expected"),
    [
        ({"seconds": 10}, [0, 9, 10, 11], [(0, 0), (10, 2)]),
        ({"seconds": 10, "count": 2}, [0, 6, 9, 10, 12], [(0, 0), (6, 1), (10, 3)]),
        ({"seconds": 10, "over": "hold"}, [0, 1, 2, 25], [(0, 0), (10, 1), (20, 2), (30, 3)]),
        ({"seconds": 10, "over": "hold", "max_held": 1}, [0, 1, 2, 12], [(0, 0), (10, 1), (20, 3)]),
    ],
)
def test_what_is_over_the_limit_is_dropped_or_waits(
    config: dict[str, Any], events: list[float], expected: list[Any]
) -> None:
    watched = throttle(**config)
    for n, at in enumerate(events):
        watched.feed(at, n)
    assert watched.finish().when() == expected


@given(TIMES, st.integers(1, 4), st.sampled_from(["drop", "hold"]))
def test_no_stretch_sees_too_many(times: list[float], count: int, over: str) -> None:
    watched = throttle(count=count, seconds=5, over=over)
    for n, at in enumerate(times):
        watched.feed(at, n)
    watched.finish()
    passed = [at for at, _ in watched.when()]
    for first, beyond in zip(passed, passed[count:], strict=False):
        assert beyond - first >= 5 - 1e-3
    assert watched.out() == sorted(watched.out())
    if over == "hold":
        assert watched.out() == list(range(len(times)))
    else:
        assert len(watched.out()) + len(watched.out("overflow")) == len(times)


@pytest.mark.parametrize("behind", [0, 7200])
def test_a_flow_that_catches_up_drops_no_more(behind: float) -> None:
    watched = throttle(seconds=10)
    for at in range(0, 60, 5):
        watched.feed(at, at, behind=behind)
    assert watched.finish().out() == [0, 10, 20, 30, 40, 50]


def test_a_backlog_goes_on_in_turns() -> None:
    watched = throttle(seconds=10, over="hold")
    watched.feed_all([(0, "a")])
    watched.timeline.advance(NOW + 7200)
    watched.feed_all([(20, "b"), (40, "c"), (60, "d")])
    assert watched.finish().when()[1:] == [(7200, "b"), (7210, "c"), (7220, "d")]


def test_turns_that_were_missed_are_given_anew() -> None:
    watched = throttle(seconds=10, over="hold")
    watched.feed(0, *range(6))
    watched.timeline.surroundings.now = NOW + 35  # nobody let them go meanwhile
    passed = [at for at, _ in watched.finish().when()]
    assert sorted(watched.out()) == list(range(6))
    assert all(b - a >= 10 for a, b in pairwise(passed))


def test_nobody_overtakes_those_whose_turn_has_come() -> None:
    watched = throttle(count=3, seconds=10, over="hold")
    watched.feed(0, "a", "b", "c", "d")
    surroundings = watched.timeline.surroundings
    surroundings.now = NOW + 11  # "d" is due since 10, but not let go yet
    walk = run(watched.timeline.plan, surroundings, arrivals=[watched.arrival(11, "e")])
    assert [held.due - NOW for held in walk.held] == [11]


def test_memory_is_given_back() -> None:
    watched = throttle(seconds=10, count=3, over="hold")
    watched.feed(0, *range(9))
    watched.finish()
    watched.timeline.advance(NOW + 60)
    assert watched.timeline.surroundings.count_state() == 0
