"""Do figures get onto the page where they belong, and do they say what was measured?"""

import re
from pathlib import Path

import pytest

from tests.bench import __main__, growth, large, page
from tests.bench.memory import BOUND_KIB, PROCESSES, Sample, as_table, slope


def test_a_command_replaces_its_own_figures_and_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    place = "<!-- {0} -->\nold {0}\n<!-- end of {0} -->\n"
    path.write_text(f"# Title\n{place.format('one')}between\n{place.format('two')}")
    page.put("one", r"new \1", path)
    assert path.read_text() == (
        "# Title\n<!-- one -->\nnew \\1\n<!-- end of one -->\nbetween\n" + place.format("two")
    )


def test_figures_without_a_place_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Title\n")
    with pytest.raises(SystemExit, match="no place for one"):
        page.put("one", "text", path)


def test_every_place_on_the_page_is_closed() -> None:
    text = page.PAGE.read_text()
    begun = re.findall(r"<!-- (?!end of )(.*?) -->", text)
    assert begun == re.findall(r"<!-- end of (.*?) -->", text)
    assert len(begun) == len(set(begun))


def test_every_command_has_a_place_for_its_figures() -> None:
    grown = {f"growth: {name}" for name in (*growth.TABLES, "workers")}
    others = {"parts", "memory", *__main__.PLACES.values(), *large.PLACES.values()}
    text = page.PAGE.read_text()
    assert {name for name in grown | others if f"<!-- {name} -->" not in text} == set()


def _samples(grows_by: int) -> list[Sample]:
    return [
        Sample(i * 10_000, {name: 100_000 + i * grows_by for name in PROCESSES}) for i in range(11)
    ]


@pytest.mark.parametrize(
    ("by_ten_thousand", "says"), [(0, "flat"), (BOUND_KIB // 10, "flat"), (200, "**grows**")]
)
def test_memory_is_flat_while_it_grows_less_than_the_bound(by_ten_thousand: int, says: str) -> None:
    assert as_table(_samples(by_ten_thousand), 100_000).count(says) == len(PROCESSES)


def test_the_slope_is_that_of_the_closest_line() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 1), (1, 0), (2, 1), (3, 0)]) == pytest.approx(-0.2)
