"""Do the two events that belong together find each other, and no others?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.watching import Watched
from workflows.engine.rehearsal import NOW

ASKED = {
    "key": "event.data[0]",
    "first": 'event.data[1].startsWith("a")',
    "second": 'event.data[1].endsWith("b")',
    "within_seconds": 10,
}
EVENTS = st.lists(
    st.tuples(st.floats(0, 60).map(lambda at: round(at, 1)), st.sampled_from(["a", "b"])),
    max_size=25,
).map(lambda events: sorted(events, key=lambda one: one[0]))


def join(**config: Any) -> Watched:
    return Watched("filter.join", {**ASKED, **config})


def pairs(watched: Watched) -> list[tuple[str, str]]:
    return [(data["first"][1], data["second"][1]) for data in watched.out("matched")]


@pytest.mark.parametrize(
    ("order", "events", "expected"),
    [
        ("strict", [(0, "a1"), (9, "2b")], [("a1", "2b")]),
        ("strict", [(0, "a1"), (10, "2b")], []),  # too late by nothing
        ("strict", [(0, "1b"), (1, "a2")], []),
        ("either", [(0, "1b"), (1, "a2")], [("a2", "1b")]),
        ("strict", [(0, "a1"), (1, "a2"), (2, "3b"), (3, "4b")], [("a1", "3b"), ("a2", "4b")]),
        ("strict", [(0, "a1"), (9, "a2"), (12, "3b")], [("a2", "3b")]),  # the first gave up
        ("strict", [(0, "ab"), (1, "ab"), (2, "ab")], [("ab", "ab")]),  # both: two by two
    ],
)
@pytest.mark.parametrize("catching_up", [False, True])
def test_events_find_their_other_half(
    order: str, events: list[tuple[float, str]], expected: list[Any], catching_up: bool
) -> None:
    watched = join(order=order)
    if catching_up:
        watched.feed_all([(at, ["k", what]) for at, what in events])
    else:
        for at, what in events:
            watched.feed(at, ["k", what])
    assert pairs(watched.finish()) == expected


@given(EVENTS, st.sampled_from(["strict", "either"]), st.booleans())
def test_every_event_is_matched_once_or_told_to_be_alone(
    events: list[tuple[float, str]], order: str, catching_up: bool
) -> None:
    watched = join(order=order)
    named = [
        (at, ["k", f"a{n}" if kind == "a" else f"{n}b"]) for n, (at, kind) in enumerate(events)
    ]
    if catching_up:
        watched.feed_all(named)
    else:
        for at, data in named:
            watched.feed(at, data)
    watched.finish()
    told = [name for pair in pairs(watched) for name in pair]
    told += [data[1] for port in ("missing", "unmatched") for data in watched.out(port)]
    assert sorted(told) == sorted(data[1] for _, data in named)
    assert all(data[1].startswith("a") for data in watched.out("missing"))
    watched.timeline.advance(NOW + 3600)
    assert watched.timeline.surroundings.count_state() == 0


def test_other_keys_and_other_events_are_left_alone() -> None:
    watched = join()
    watched.feed(0, ["k", "a"], ["l", "b"], ["k", "c"])
    watched.finish()
    assert watched.outcomes() == ["passed", "passed", "filtered"]
    assert (watched.out("missing"), watched.out("unmatched")) == ([["k", "a"]], [["l", "b"]])


def test_a_backlog_is_read_before_an_event_is_missed() -> None:
    watched = join()
    watched.feed(0, ["k", "a"], behind=3600)
    watched.feed(5, ["k", "b"], behind=3598)
    assert len(watched.finish().out("matched")) == 1


def test_too_many_that_wait_fail() -> None:
    watched = join()
    watched.feed(0, *(["k", f"a{n}"] for n in range(101)))
    watched.finish()
    assert watched.out("error") == [["k", "a100"]]
    assert len(watched.out("missing")) == 100


def test_what_waits_is_bounded_in_bytes() -> None:
    watched = join()
    watched.feed(0, ["k", "a" * 600_000], ["k", "a" * 600_001])
    watched.finish()
    assert len(watched.out("error")) == 1
