"""Does exactly one event of each burst go on?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.watching import Watched
from workflows.engine.rehearsal import NOW

TIMES = st.lists(st.floats(0, 60).map(lambda at: round(at, 1)), max_size=25).map(sorted)


def debounce(**config: Any) -> Watched:
    return Watched("filter.debounce", config)


@pytest.mark.parametrize(
    ("config", "events", "expected"),
    [
        ({"quiet_seconds": 10}, [0, 9, 18], [(28, 18)]),
        ({"quiet_seconds": 10}, [0, 10], [(10, 0), (20, 10)]),  # quiet for ten is quiet
        ({"quiet_seconds": 10, "max_wait_seconds": 15}, [0, 9, 14, 18], [(15, 14), (28, 18)]),
        ({"quiet_seconds": 10, "emit": "first"}, [0, 9, 18, 28], [(0, 0), (28, 28)]),
        (
            {"quiet_seconds": 10, "emit": "first", "max_wait_seconds": 15},
            [0, 9, 15, 16],
            [(0, 0), (15, 15)],
        ),
    ],
)
def test_a_burst_ends_when_it_is_quiet(
    config: dict[str, Any], events: list[float], expected: list[Any]
) -> None:
    watched = debounce(**config)
    for at in events:
        watched.feed(at, at)
    assert watched.finish().when() == expected


def bursts(times: list[float], quiet: float, longest: float) -> list[list[int]]:
    found: list[list[int]] = []
    for n, at in enumerate(times):
        last = found[-1] if found else []
        near = last and at < times[last[-1]] + quiet
        if near and not (longest and at >= times[last[0]] + longest):
            last.append(n)
        else:
            found.append([n])
    return found


@given(TIMES, st.sampled_from([0, 7]), st.sampled_from(["first", "last"]), st.booleans())
def test_exactly_one_event_of_each_burst_goes_on(
    times: list[float], longest: float, emit: str, catching_up: bool
) -> None:
    watched = debounce(quiet_seconds=3, max_wait_seconds=longest, emit=emit)
    if catching_up:
        watched.feed_all([(at, n) for n, at in enumerate(times)])
    else:
        for n, at in enumerate(times):
            watched.feed(at, n)
    # The sums are those of the node, so that decimals are rounded alike.
    expected = bursts([NOW + at for at in times], 3.0, longest)
    assert watched.finish().out() == [burst[-1 if emit == "last" else 0] for burst in expected]


def test_a_backlog_is_read_before_a_burst_is_taken_for_over() -> None:
    watched = debounce(quiet_seconds=10)
    for n, at in enumerate((0, 5, 12, 30)):
        watched.feed(at, at, behind=3600 - at + n)  # read one a second
    assert watched.finish().out() == [12, 30]
    assert watched.when()[0][0] < 3610  # as soon as what is read is later


def test_an_event_that_is_read_after_its_burst_went_on_still_counts_if_it_is_newer() -> None:
    watched = debounce(quiet_seconds=10)
    watched.feed(1, "a")
    watched.feed(10.9, "newer", behind=0.2)
    watched.feed(10.8, "older", behind=12)
    watched.finish()
    assert watched.out() == ["a", "newer"]
    assert watched.outcomes() == ["passed", "passed", "deduplicated"]


def test_keys_have_bursts_of_their_own() -> None:
    watched = debounce(key="event.data[0]", quiet_seconds=10)
    watched.feed(0, ["a", 1], ["b", 1], ["a", 2])
    assert watched.finish().out() == [["b", 1], ["a", 2]]
    watched.timeline.advance(NOW + 40 * 86_400)
    assert watched.timeline.surroundings.count_state() == 0
