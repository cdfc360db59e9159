"""Pages cut from several streams: nothing is repeated, nothing is skipped, in both directions."""

from hypothesis import given
from hypothesis import strategies as st

from workflows.storage.pages import Cut, Entry, Place, Stream, cut, spans

Moments = dict[str, list[float]]  # stream -> the moment of each number, 0 first

some_moments = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.integers(0, 20).map(float), min_size=1, max_size=12),
    max_size=4,
)


def _page(moments: Moments, kept: set[int], place: Place, limit: int, window: int | None) -> Cut:
    """The page as a query would give it; `kept` are the numbers that a filter lets through."""
    looked = spans([Stream(key, 0, len(all_)) for key, all_ in moments.items()], place, window)
    entries: list[Entry] = []
    for span in looked:
        numbers = [n for n in range(span.low, span.high) if n in kept]
        nearest = numbers[: limit + 1] if place.newer else numbers[::-1][: limit + 1]
        key = span.stream.key
        entries += [Entry(key, number, moments[key][number]) for number in nearest]
    return cut(entries, looked, place, limit)


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
