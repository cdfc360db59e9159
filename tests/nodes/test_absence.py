"""Is every silence noticed, once, and nothing else?"""

from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.watching import Watched
from workflows.engine.rehearsal import NOW

TIMES = st.lists(st.floats(0, 100).map(lambda at: round(at, 1)), max_size=25).map(sorted)


def absence(**config: object) -> Watched:
    return Watched("filter.absence", {"quiet_seconds": 10, **config})


def test_a_silence_is_told_when_it_has_lasted_and_again_after_the_next_event() -> None:
    watched = absence()
    for at in (0, 4, 9, 12, 40):
        watched.feed(at, at)
    watched.finish()
    assert watched.out() == [0, 4, 9, 12, 40]
    assert [(at, data["last_id"]) for at, data in watched.when("absent")] == [
        (22, "e3"),
        (50, "e4"),
    ]
    assert set(watched.outcomes()) == {"passed"}


@given(TIMES, st.booleans())
def test_every_silence_is_told_once(times: list[float], catching_up: bool) -> None:
    watched = absence()
    if catching_up:
        watched.feed_all([(at, n) for n, at in enumerate(times)])
    else:
        for n, at in enumerate(times):
            watched.feed(at, n)
    watched.finish()
    moments = [NOW + at for at in times]
    expected = [
        f"e{n}"
        for n, at in enumerate(moments)
        if n == len(moments) - 1 or moments[n + 1] >= at + 10
    ]
    told = watched.events("absent")
    # Of events of the same moment, any may be named as the last.
    assert [round(NOW + times[int(e.data["last_id"][1:])], 1) for e in told] == [
        round(moments[int(event_id[1:])], 1) for event_id in expected
    ]
    assert len({event.id for event in told}) == len(told)
    assert watched.out() == list(range(len(times)))


def test_few_events_are_held_to_watch_over_a_busy_key() -> None:
    watched = absence()
    for n in range(200):
        watched.feed(n / 10, n)
    held = [step for step in watched.steps() if step.outcome == "held"]
    assert len(held) <= 8
    assert len(watched.finish().out("absent")) == 1


def test_a_backlog_is_read_before_a_silence_is_told() -> None:
    watched = absence()
    for n, at in enumerate((0, 9, 18, 27)):
        watched.feed(at, at, behind=3600 - at + n)
    assert [data["last_id"] for data in watched.finish().out("absent")] == ["e3"]


def test_keys_are_watched_by_themselves_and_memory_is_given_back() -> None:
    watched = absence(key="event.data")
    watched.feed(0, "a", "b")
    watched.feed(8, "a")
    watched.finish()
    assert [(at, data["key"]) for at, data in watched.when("absent")] == [(10, "b"), (18, "a")]
    watched.timeline.advance(NOW + 40 * 86_400)
    assert watched.timeline.surroundings.count_state() == 0
