"""Durations on pages: short, and in the unit that fits."""

import pytest

from workflows.web.durations import duration


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (0.013, "0.01 ms"),
        (0.34, "0.3 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (75_136.8, "75.1 s"),
        (100_000, "2 min"),
        (5_400_000, "90 min"),
        (7_200_000, "2 h"),
        (86_400_000, "24 h"),
        (300_000_000, "3 d"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(ms: float, text: str) -> None:
    assert duration(ms) == text
