"""Pages cut from several streams: nothing is repeated, nothing is skipped, in both directions."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from workflows.storage.pages import Cut, Entry, Place, Search, Span, Stream, gather

Moments = dict[str, list[float]]  # stream -> the moment of each number, 0 first

some_moments = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.integers(0, 20).map(float), min_size=1, max_size=12),
    max_size=4,
)


def _page(moments: Moments, kept: set[int], place: Place, limit: int, window: int | None) -> Cut:
    """The page as a database would give it; `kept` are the numbers that a filter lets through, and
    `window` is how many it looks through, at once and altogether."""

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        entries: list[Entry] = []
        for span in looked:
            numbers = [n for n in range(span.low, span.high) if n in kept]
            nearest = numbers[:size] if place.newer else numbers[::-1][:size]
            key = span.stream.key
            entries += [Entry(key, number, moments[key][number]) for number in nearest]
        return entries

    streams = [Stream(key, 0, len(all_)) for key, all_ in moments.items()]
    search = None if window is None else Search(window, 0.0)
    return gather(streams, place, limit, fetch, search)


@given(
    some_moments,
    st.sets(st.integers(0, 11)),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_pages_show_everything_once_there_and_back(
    moments: Moments, kept: set[int], limit: int, window: int | None
) -> None:
    wanted = {(key, n) for key, all_ in moments.items() for n in range(len(all_)) if n in kept}
    pages = [_page(moments, kept, Place({}), limit, window)]
    while pages[-1].last is not None:
        assert len(pages) < 100
        pages.append(_page(moments, kept, Place(pages[-1].last), limit, window))
    there = [entry[:2] for page in pages for entry in page.shown]
    assert len(there) == len(set(there))
    assert set(there) == wanted
    page, back = pages[-1], [entry[:2] for entry in pages[-1].shown]
    steps = 0
    while page.first is not None:
        steps += 1
        assert steps < 100
        page = _page(moments, kept, Place(page.first, newer=True), limit, window)
        back = [entry[:2] for entry in page.shown] + back
    assert len(back) == len(set(back))
    assert set(back) == wanted


@given(some_moments, st.integers(1, 5))
def test_streams_in_the_order_of_time_are_woven_in_the_order_of_time(
    moments: Moments, limit: int
) -> None:
    moments = {key: sorted(all_) for key, all_ in moments.items()}
    page = _page(moments, set(range(12)), Place({}), limit, None)
    shown = [entry.at for entry in page.shown]
    assert shown == sorted((at for all_ in moments.values() for at in all_), reverse=True)[:limit]


def test_of_many_streams_only_those_are_asked_for_more_that_a_page_shows() -> None:
    asked = 0

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        nonlocal asked
        asked += len(looked) * size
        return [
            Entry(span.stream.key, n, float(int(span.stream.key) * 1_000 + n))
            for span in looked
            for n in range(span.high - 1, max(span.low, span.high - size) - 1, -1)
        ]

    streams = [Stream(str(key), 0, 1_000) for key in range(500)]
    page = gather(streams, Place({}), 50, fetch)
    assert [entry[:2] for entry in page.shown] == [("499", 999 - i) for i in range(50)]
    assert asked < 1_300  # of half a million


def test_a_search_ends_when_its_time_is_over_and_the_next_page_goes_on() -> None:
    looked_at: list[Span] = []

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        looked_at.extend(looked)
        return []

    page = gather([Stream("1", 0, 1_000)], Place({}), 50, fetch, Search(100, 0.0))
    assert [(span.low, span.high) for span in looked_at] == [(900, 1_000)]
    assert (page.shown, page.last) == ([], {"1": 900})
    whole = gather([Stream("1", 0, 1_000)], Place({}), 50, fetch, Search(100, 60.0))
    assert whole.last is None
