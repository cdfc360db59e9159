"""Does a condition decide as CEL does, and tell why?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.event import JSON
from workflows.engine.expression import EvaluationError, bind, compile_expression
from workflows.engine.why import Condition, Verdict

DATA = {"amount": 60.5, "on": True, "off": False, "name": "x", "list": [1, 2], "long": "y" * 300}
ACTIVATION = bind({"type": "order", "data": DATA}, 0.0)


def decide(source: str) -> Verdict:
    return Condition(source).decide(ACTIVATION)


def test_each_part_is_told_with_the_values_it_names() -> None:
    assert decide("event.data.amount > 100 || !(event.data.off)").because == [
        {
            "text": "event.data.amount > 100",
            "value": False,
            "values": {"event.data.amount": 60.5},
        },
        {"text": "event.data.off", "value": False, "values": {"event.data.off": False}},
    ]


def test_what_a_short_circuit_left_out_is_marked() -> None:
    verdict = decide('event.data.off && (event.type == "a" || event.data.on)')
    assert verdict.value is False
    assert [row.get("skipped", False) for row in verdict.because] == [False, True, True]


def test_an_error_that_decides_nothing_is_told_but_does_not_count() -> None:
    verdict = decide("event.data.gone > 1 && event.data.off")
    assert verdict.value is False
    assert 'no "gone"' in verdict.because[0]["error"]


def test_an_error_that_counts_is_never_a_silent_false() -> None:
    verdict = decide("event.data.on && event.data.gone > 1")
    assert verdict.value is None
    assert 'no "gone"' in verdict.error


def test_a_part_that_is_not_true_or_false_is_an_error() -> None:
    assert decide("event.data.name").error == "event.data.name gives text, not true or false."


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ('event.type == "a && b" || event.data.on', ['event.type == "a && b"', "event.data.on"]),
        (r'event.type == "\" || " && true', [r'event.type == "\" || "', "true"]),
        (r"event.type == r'\d' && true", [r"event.type == r'\d'", "true"]),
        ("event.type == '''a'||'b''' && true", ["event.type == '''a'||'b'''", "true"]),
        ("event.data.list.exists(i, i > 1 && i < 9)", None),  # inside a macro: one part
        ("event.data.on ? event.data.off : true && false", None),  # weaker than && itself
        ("event.data.?on.orValue(true) && true", ["event.data.?on.orValue(true)", "true"]),
        ("((true)) && !(false || true)", ["true", "false", "true"]),
        ("!event.data.on", None),
        ("true && // a && b\n false", ["true", "false"]),
        ("(event.data.on) == (event.data.off)", None),
    ],
)
def test_a_source_is_split_only_where_cel_would(source: str, parts: list[str] | None) -> None:
    assert [row["text"] for row in decide(source).because] == (parts or [source])


def test_long_values_are_cut() -> None:
    row = decide('event.data.long != ""').because[0]
    assert len(row["values"]["event.data.long"]) == 201


def test_a_method_is_not_taken_for_a_key() -> None:
    row = decide('event.data.name.startsWith("x")').because[0]
    assert row["values"] == {"event.data.name": "x"}


LEAVES = st.sampled_from(
    [
        "true",
        "false",
        "event.data.on",
        "event.data.off",
        "event.data.gone",
        "event.data.name",
        "event.data.amount > 50",
        'event.type == "a || b"',
        "event.data.list.all(i, i > 0 && i < 2)",
    ]
)
SOURCES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("{} && {}".format, inner, inner),
        st.builds("{} || {}".format, inner, inner),
        st.builds("({})".format, inner),
        st.builds("!({})".format, inner),
        st.builds("({}) ? ({}) : ({})".format, inner, inner, inner),
    ),
    max_leaves=6,
)


@given(SOURCES)
def test_the_parts_together_decide_as_the_whole(source: str) -> None:
    whole: JSON
    try:
        whole = compile_expression(source).evaluate(ACTIVATION)
    except EvaluationError:
        whole = None
    if not isinstance(whole, bool):  # a text, as a condition, is an error
        whole = None
    assert decide(source).value is whole
