"""Many rows in one statement: the same rows on both databases."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.storage import sql
from workflows.storage.postgres.arrays import Array

pytestmark = pytest.mark.django_db(transaction=True)

_WHOLE = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_REAL = st.floats(allow_nan=False, allow_infinity=False)


def _or_none(kind: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | kind


@given(
    st.lists(st.tuples(_WHOLE, *map(_or_none, (_WHOLE, _REAL, _TEXT, st.binary()))), max_size=150)
)
def test_rows_arrive_as_they_were_sent(rows: list[tuple[Any, ...]]) -> None:
    assert [tuple(row) for row in sql.find_many("SELECT * FROM v", "a, b, c, d, e", rows)] == rows


@pytest.mark.parametrize("count", [63, 64, 65, 255, 256, 257, 320, 700])
def test_many_rows_arrive_in_their_order_whatever_their_number(count: int) -> None:
    rows = [(n, f"k{n}") for n in range(count)]
    assert [tuple(row) for row in sql.find_many("SELECT * FROM v", "n, k", rows)] == rows


@pytest.mark.parametrize("values", [[1, "one"], [True, 1], [b"one", "one"], [object()]])
def test_an_array_has_values_of_one_type(values: list[object]) -> None:
    with pytest.raises(TypeError, match="no array of"):
        Array(values)


def test_whole_numbers_among_floats_arrive_as_the_same_numbers() -> None:
    rows = [(1,), (0.5,), (None,), (-7,)]
    assert [tuple(row) for row in sql.find_many("SELECT * FROM v", "n", rows)] == rows


def test_a_column_without_any_value_is_stored_as_null() -> None:
    rows = [(1, "n", key, b"{}", None) for key in "ab"]
    sql.insert_many("workflows_nodestate", "flow_id, node, key, value, expires_at", rows)
    stored = sql.fetch("SELECT key, expires_at FROM workflows_nodestate ORDER BY key")
    assert [tuple(row) for row in stored] == [("a", None), ("b", None)]
