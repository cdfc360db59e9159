"""Which values an index keeps, which of them are the same, and what a typed text may mean."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.indexing import (
    LONGEST_VALUE,
    canonical,
    digest_of,
    field_of,
    fields_refusal,
    marks_of,
    meanings,
    path_refusal,
)

texts = st.text(min_size=1, max_size=50)
whole = st.integers(-(2**63), 2**63 - 1)
numbers = whole | st.floats(allow_nan=False, allow_infinity=False)
scalars = texts | numbers | st.booleans()


@pytest.mark.parametrize(
    ("path", "is_good"),
    [
        ("key", True),
        ("subject", True),
        ("data.order_id", True),
        ("data.lines.0.sku", True),
        ("data.größe", True),
        ("data", False),
        ("id", False),
        ("source", False),
        ("data.", False),
        ("data..x", False),
        ("data.a b", False),
        ("data.a=b", False),
        ("data.a,b", False),
        ("data.a\x00b", False),
        ("order_id", False),
        ("data." + "x" * 116, False),
        ("", False),
    ],
)
def test_a_field_is_the_key_an_attribute_or_something_within_data(path: str, is_good: bool) -> None:
    assert (path_refusal(path) == "") == is_good


@pytest.mark.parametrize(
    ("paths", "is_good"),
    [
        ([], True),
        (["key", "data.a", "data.b", "data.c", "subject"], True),
        (["key", "data.a", "data.b", "data.c", "data.d", "subject"], False),
        (["key", "key"], False),
        (["key", "nothing.such"], False),
    ],
)
def test_a_channel_has_few_fields_each_of_them_once(paths: list[str], is_good: bool) -> None:
    assert (fields_refusal(paths) == "") == is_good


@given(scalars, scalars)
def test_values_are_the_same_in_an_index_when_they_are_equal_and_of_one_kind(
    one: Any, other: Any
) -> None:
    def kind(value: Any) -> type:
        return float if type(value) is int else type(value)

    same = kind(one) is kind(other) and one == other
    assert (canonical(one) == canonical(other)) == same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, "1", False),
        (1, True, False),
        (0.0, -0.0, True),
        (2**53, float(2**53), True),
        (2**53 + 1, float(2**53), False),
        (1e300, int(1e300), True),
        ("\u00e9", "e\u0301", False),
        ("a\x00b", "a", False),
        ("True", True, False),
    ],
)
def test_what_looks_alike_is_the_same_or_not(one: Any, other: Any, same: bool) -> None:
    assert (canonical(one) == canonical(other)) == same


@pytest.mark.parametrize(
    "value", [None, "", "x" * (LONGEST_VALUE + 1), [], ["a"], {}, math.nan, math.inf]
)
def test_what_nobody_can_type_is_not_kept(value: Any) -> None:
    assert canonical(value) is None


@given(scalars)
def test_a_value_is_found_by_its_text_after_its_way_through_the_log(value: Any) -> None:
    stored = orjson.loads(orjson.dumps(value))
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    assert canonical(stored) == canonical(value)
    assert canonical(stored) in meanings(text)


@given(st.text(max_size=1_500))
def test_any_text_can_be_asked_for_and_has_few_meanings(text: str) -> None:
    assert len(meanings(text)) <= 2
    assert all(-(2**63) <= digest_of(form) < 2**63 for form in meanings(text))


@pytest.mark.parametrize("text", ["\ud800", "1e999", "NaN", "-", "[1]", "null", "007"])
def test_texts_that_are_no_values_are_texts(text: str) -> None:
    assert len(meanings(text)) == 1
    assert digest_of(meanings(text)[0])


def test_an_event_has_a_mark_for_each_field_that_it_has() -> None:
    fields = [field_of(n, path) for n, path in enumerate(("key", "data.a.0", "data.b", "subject"))]
    event = {"id": "1", "data": {"a": [7.0], "b": None}}
    assert marks_of(fields, event, "k") == ((0, digest_of("sk")), (1, digest_of("n7")))
    assert marks_of(fields, {"id": "1", "data": "text"}, "") == ()
