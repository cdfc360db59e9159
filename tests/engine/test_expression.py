"""Do expressions give what people expect, and say clearly when they can't?"""

import pytest

from workflows.engine.event import JSON
from workflows.engine.expression import (
    EvaluationError,
    ExpressionError,
    bind,
    compile_expression,
)

EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/shop",
    "type": "order",
    "data": {"price": 60.5, "qty": 3, "name": "Ada", "tags": ["a", "b"], "none": None, "on": True},
}
NOON = 1_704_110_400.0  # 2024-01-01T12:00:00Z


def value_of(source: str, event: JSON = EVENT) -> JSON:
    return compile_expression(source).evaluate(bind(event, NOON))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        # whole and decimal numbers mix, and whole ones stay whole
        ("event.data.qty + 1", 4),
        ("event.data.price * 2", 121.0),
        ("event.data.qty * 1.5", 4.5),
        ("event.data.qty - 0.5", 2.5),
        ("1.5 - event.data.qty", -1.5),
        ("event.data.qty / 2", 1),
        ("event.data.qty / 2.0", 1.5),
        ("event.data.price % 60", 0.5),
        ("7.5 % 2.0", 1.5),
        ("-event.data.price", -60.5),
        ("event.data.qty == 3.0", True),
        ("event.data.qty > 2.5 ? 1 : 2", 1),
        ("1 / 0.0 > 1e308", True),
        # what JSON has no form for becomes text
        ("now", "2024-01-01T12:00:00Z"),
        ("now + duration('1.5s')", "2024-01-01T12:00:01.500000Z"),
        ("duration('90s')", "90s"),
        ("duration('1.5s')", "1.5s"),
        ("b'abc'", "YWJj"),
        ("{1: [now]}", {"1": ["2024-01-01T12:00:00Z"]}),
        ("{true: 2}", {"true": 2}),
        # the rest
        ("event.data.none == null", True),
        ("event.data.?absent.orValue('x')", "x"),
        ("has(event.data.absent)", False),
        ("event.data.tags.map(t, t.upperAscii())", ["A", "B"]),
        ("event.data", EVENT["data"]),
    ],
)
def test_an_expression_gives(source: str, value: JSON) -> None:
    result = value_of(source)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("event.data.absent > 1", 'no "absent". Test with has(event.data.absent)'),
        ("event.data['absent']", 'no "absent"'),
        ("event.data.name > 1", '">" does not work between text and a whole number.'),
        ("event.data.qty / 0", "Divide by zero"),
        ("event.data.price % 0", "Modulus by zero"),
        ("event.data.tags[5]", "index=5 size=2"),
        ("0.0 / 0", "not a number that JSON can carry"),
        ("type(1)", "is a type"),
        ("[optional.of(1)]", "no JSON form"),
        ("[1, 2, 3].map(a, [1, 2].map(b, event.data.absent))", 'no "absent"'),
    ],
)
def test_an_expression_that_fails_says_why(source: str, says: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(source)
    assert says in caught.value.says


@pytest.mark.parametrize(
    ("source", "says", "line", "column"),
    [
        ("event.data.a >", "ends too early", 1, 15),
        ("", "ends too early", 1, 1),
        ("amount > 1", '"amount" is not known here: use event and now.', 1, 1),
        ("1 +\n'a'", '"+" does not work between a whole number and text.', 1, 3),
        ("1\n+ x", '"x" is not known here', 2, 3),
        ("event.data.?a", "add .orValue", 1, 1),
        ("1" * 10_001, "longer than", 1, 1),
    ],
)
def test_a_wrong_source_says_what_and_where(source: str, says: str, line: int, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    assert says in caught.value.says
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("source", "kind"),
    [("1 + 1", "a whole number"), ("'x'", "text"), ("[1]", "a list"), ("now", "a time")],
)
def test_a_condition_must_be_able_to_give_true_or_false(source: str, kind: str) -> None:
    with pytest.raises(ExpressionError, match=f"This gives {kind}"):
        compile_expression(source, want="bool")


def test_a_number_beyond_64_bits_is_a_clear_error() -> None:
    with pytest.raises(EvaluationError, match="too large for 64 bits"):
        value_of("event.data.n + 1", {"data": {"n": 2**70}})


def test_a_result_without_bounds_is_refused() -> None:
    deep: JSON = 1
    for _ in range(70):
        deep = [deep]
    with pytest.raises(EvaluationError, match="nested deeper than 64"):
        value_of("event.data", {"data": deep})
    with pytest.raises(EvaluationError, match="more than 100,000 values"):
        value_of("event.data", {"data": [0] * 100_001})


def test_a_text_that_looks_like_an_error_is_a_text() -> None:
    text = 'NOT_FOUND: Key not found in map : "x"'
    assert value_of("event.data", {"data": text}) == text
