"""What is worked out without CEL must be what CEL says."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workflows.engine import celtree
from workflows.engine.direct import direct
from workflows.engine.expression import EvaluationError, bind, compile_expression, event_env

_LITERALS = (
    *("0", "1", "-3", "100", "9223372036854775807", "-9223372036854775808", "9007199254740993"),
    *("0.0", "1.0", "1.2", "-2.5", "1e300", "9007199254740992.0", "true", "false"),
    *('""', '"a"', '"ä\\u0000"', '"OrderCreated"', "null", 'b"a"', "2u"),
)
_FIELDS = ("event.type", "event.data", *(f"event.data.{name}" for name in "abcd"), "event.data.a.b")
_PAIRS = ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "&&", "||")

_sources = st.recursive(
    st.sampled_from(_LITERALS) | st.sampled_from(_FIELDS),
    lambda inner: (
        st.tuples(inner, st.sampled_from(_PAIRS), inner).map(lambda one: f"({' '.join(one)})")
        | inner.map(lambda one: f"!({one})")
        | inner.map(lambda one: f"-({one})")
    ),
    max_leaves=5,
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 100, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1])
    | st.integers(-5, 5)
    | st.sampled_from([0.0, -0.0, 1.0, 1.2, 100.5, 1e300, -1e300, 9007199254740992.0])
    | st.sampled_from(["", "a", "ä", "OrderCreated", "\uffff", "\U0001f600"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=3,
)


def _outcome(source: str, event: dict[str, Any]) -> tuple[object, ...]:
    try:
        value = compile_expression(source).evaluate(bind(event, 0.0))
    except EvaluationError:
        return ("error",)
    return type(value), repr(value)


@given(source=_sources, data=st.dictionaries(st.sampled_from("abcd"), _values))
@example(source="event.data.a > event.data.b", data={"a": 2**53 + 1, "b": float(2**53)})
@example(source="event.data.a * 1.2", data={"a": 120})
@example(source="event.data.a * event.data.a", data={"a": 2**62})
@example(source="event.data.a == event.data.b", data={"a": True, "b": 1})
def test_it_says_what_cel_says(source: str, data: dict[str, Any]) -> None:
    try:
        compile_expression(source)
    except ValueError:
        return  # it makes no sense to CEL either
    event = {"specversion": "1.0", "id": "1", "type": "OrderCreated", "data": data}
    assert _outcome(source, event) == _outcome(f"[{source}][0]", event)


@pytest.mark.parametrize(
    ("source", "is_direct"),
    [
        ("event.data.amount > 100", True),
        ("event.data.amount * 1.2", True),
        ("event.data.customer.name", True),
        ('event.type == "order.created" && !(event.data.n <= 3 || event.data.vip)', True),
        ("event.data", True),
        ("event", False),
        ("has(event.data.a)", False),
        ("event.data.a / 2", False),
        ("event.data.name.size() > 3", False),
        ("event.data.items.exists(i, i.qty > 1)", False),
        ("event.data.items[0].qty", False),
        ('now > timestamp("2026-01-01T00:00:00Z")', False),
    ],
)
def test_the_plain_cases_need_no_cel(source: str, is_direct: bool) -> None:
    tree = celtree.read(event_env()._native.compile(source).serialize())
    assert (direct(tree) is not None) is is_direct
