"""Do many values become the one that was asked for, in one go or in two halves?"""

from typing import Any

import pytest

from workflows.engine.aggregates import Function, add, merge, result
from workflows.engine.event import JSON
from workflows.engine.node import NodeError


def draw(function: Function, values: list[JSON]) -> Any:
    partial: JSON = None
    for value in values:
        partial = add(function, partial, value)
    return partial


CASES: list[tuple[Function, list[JSON], JSON]] = [
    ("count", [1, None, False, 0, ""], 3),  # what is neither null nor false
    ("sum", [1, 2.5, None], 3.5),
    ("sum", [2**62, 2**62], float(2**63)),  # beyond 64 bits
    ("avg", [1, 2, None], 1.5),
    ("min", [3, 1.5, None], 1.5),
    ("max", ["a", "b"], "b"),
    ("first", [None, 1], None),
    ("last", [1, None], None),
    ("list", [1, None, "x"], [1, None, "x"]),
]


@pytest.mark.parametrize(("function", "values", "expected"), CASES)
def test_values_are_drawn_together(function: Function, values: list[JSON], expected: JSON) -> None:
    assert result(function, draw(function, values)) == expected
    for cut in range(len(values) + 1):
        halves = draw(function, values[:cut]), draw(function, values[cut:])
        assert result(function, merge(function, *halves)) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [("count", 0), ("sum", 0), ("avg", None), ("min", None), ("last", None), ("list", [])],
)
def test_nothing_gives_nothing(function: Function, expected: JSON) -> None:
    assert result(function, None) == expected


@pytest.mark.parametrize(
    ("function", "values"),
    [("sum", ["1"]), ("avg", [True]), ("min", [{}]), ("max", [1, "a"]), ("min", ["a", 1])],
)
def test_what_does_not_suit_is_refused(function: Function, values: list[JSON]) -> None:
    with pytest.raises(NodeError, match="needs numbers"):
        draw(function, values)


def test_a_sum_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(NodeError, match="too large"):
        draw("sum", [1e308, 1e308])
