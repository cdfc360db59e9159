"""What can't the examples of the filters that check and shape data say?"""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.nodes.watching import Watched
from workflows.engine.event import JSON, Event
from workflows.nodes.filters.aggregate import Aggregate
from workflows.nodes.filters.fields import Fields
from workflows.nodes.filters.validate import Validate


def pass_through(kind: str, config: dict[str, Any], *data: JSON) -> Watched:
    watched = Watched(kind, config)
    watched.feed(0, *data)
    return watched.finish()


def failure(watched: Watched) -> tuple[str, str]:
    (error,) = [step.error for step in watched.steps() if step.error]
    return error["kind"], error["message"]


# --- validate
@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "nonsense"}, "not a JSON Schema"),
        ({"$ref": "https://example.org/schema.json"}, "not a JSON Schema"),  # nothing is fetched
        ({"$ref": "file:///etc/passwd"}, "not a JSON Schema"),
        ({"$ref": "#/$defs/gone"}, "does not exist"),
        ({"pattern": "(?=a)b"}, "not a JSON Schema"),  # look-around could take for ever
        ({"enum": ["x" * 100_000]}, "100,000 bytes"),
    ],
)
def test_a_schema_that_can_not_be_used_is_refused(schema: JSON, says: str) -> None:
    with pytest.raises(ValidationError, match=says.replace("$", r"\$")):
        Validate.Config.model_validate({"json_schema": schema})


@pytest.mark.parametrize(
    ("schema", "path", "data", "places"),
    [
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}, "data", 1, []),
        ({"items": {"type": "number"}}, "data.rows", {"rows": [1, "x"]}, ["data.rows.1"]),
        ({"type": "number"}, "data.n", {}, ["data.n"]),
        ({"format": "date"}, "data", "2024-02-30", ["data"]),
        ({"pattern": "^(a+)+$"}, "data", "a" * 40 + "!", ["data"]),
        (False, "data", 1, ["data"]),
    ],
)
def test_problems_are_told_with_their_place(
    schema: JSON, path: str, data: JSON, places: list[str]
) -> None:
    watched = pass_through("filter.validate", {"json_schema": schema, "path": path}, data)
    (step,) = watched.steps()
    assert [error["path"] for error in (step.why or {"errors": []})["errors"]] == places
    assert watched.out("invalid" if places else "valid") == [data]


def test_problems_are_bounded() -> None:
    config = {"json_schema": {"items": {"const": 1}}, "errors_path": "data"}
    watched = pass_through("filter.validate", config, list(range(2, 100)))
    assert len(watched.out("invalid")[0]) == 20


# --- fields
@pytest.mark.parametrize(
    ("config", "data", "expected"),
    [
        ({"rename": {"data.a": "data.b", "data.b": "data.a"}}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"rename": {"data.a.b": "data"}}, {"a": {"b": 5}, "c": 6}, 5),
        ({"rename": {"data.a": "data.a.b"}}, {"a": 1}, {"a": {"b": 1}}),
        ({"pick": ["data.gone"]}, {"a": 1}, {}),
        ({"pick": ["data.rows"]}, {"rows": [1], "x": 2}, {"rows": [1]}),
        ({"remove": ["data.rows.0"]}, {"rows": [1, 2]}, {"rows": [2]}),
        ({"rename": {"data": "data.a.b"}}, 1, {"a": {"b": 1}}),
        ({"remove": ["data"]}, {"rows": [1, 2]}, None),
    ],
)
def test_fields_are_moved_all_at_once(config: dict[str, Any], data: JSON, expected: JSON) -> None:
    assert pass_through("filter.fields", config, data).out() == [expected]


def test_two_fields_can_not_become_one() -> None:
    with pytest.raises(ValidationError, match="both become"):
        Fields.Config.model_validate({"rename": {"data.a": "data.c", "data.b": "data.c"}})


def test_a_place_that_is_taken_by_a_number_fails() -> None:
    config = {"rename": {"data.a": "data.n.a"}}
    assert failure(pass_through("filter.fields", config, {"a": 1, "n": 5}))[0] == "path"


def test_data_that_is_wrapped_again_and_again_is_stopped() -> None:
    deep: JSON = 1
    for _ in range(64):
        deep = {"a": deep}
    kind, says = failure(pass_through("filter.fields", {"rename": {"data": "data.a"}}, deep))
    assert kind == "limit"
    assert "deeper than 64" in says


# --- sample
@given(st.integers(1, 20), st.integers(0, 60))
def test_every_nth_goes_on(every: int, count: int) -> None:
    watched = Watched("filter.sample", {"every": every})
    for n in range(1, count + 1):
        watched.feed(n, n)
    assert watched.finish().out() == [n for n in range(1, count + 1) if n % every == 0]


@pytest.mark.parametrize("fraction", [0, 0.2, 1])
def test_a_fraction_is_about_as_large_as_asked_and_always_the_same(fraction: float) -> None:
    one, other = (
        pass_through("filter.sample", {"fraction": fraction}, *range(1_000)).out() for _ in range(2)
    )
    assert one == other
    assert abs(len(one) - 1_000 * fraction) <= 50


# --- decode
BOMB = '<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    ("config", "text", "expected"),
    [
        (
            {"format": "csv", "header": False, "delimiter": ";"},
            "a;b\n\n1;2",
            [["a", "b"], ["1", "2"]],
        ),
        ({"format": "csv"}, "a,b\n1\n", [{"a": "1", "b": None}]),
        ({"format": "csv"}, 'a\n"x\ny"\n', [{"a": "x\ny"}]),
        ({"format": "csv"}, "", []),
        ({"format": "xml"}, "<a>1<b/>2</a>", {"a": {"b": None, "#text": "12"}}),
        ({"format": "xml"}, '<a x="1"><![CDATA[<b>]]></a>', {"a": {"@x": "1", "#text": "<b>"}}),
        ({"format": "xml"}, "<a><b>1</b><b>2</b><b>3</b></a>", {"a": {"b": ["1", "2", "3"]}}),
        ({"format": "json"}, '"x"', "x"),
        ({"format": "json"}, "18446744073709551616", 18446744073709551616.0),  # as the log does
    ],
)
def test_a_text_becomes_data(config: dict[str, Any], text: str, expected: JSON) -> None:
    assert pass_through("filter.decode", config, text).out() == [expected]


@pytest.mark.parametrize(
    ("config", "data", "says"),
    [
        ({"format": "xml"}, BOMB, "document type"),
        ({"format": "xml"}, '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ({"format": "xml"}, "<a>", "no element found"),
        ({"format": "xml"}, "<a>" * 100 + "</a>" * 100, "30 levels"),
        ({"format": "csv"}, "a\n1,2\n", "2 cells"),
        ({"format": "csv"}, "a,a\n1,2\n", "same name"),
        ({"format": "csv", "header": False}, "x\n" * 10_002, "10,000 rows"),
        ({"format": "json"}, "[" * 100_000, "can't be read"),
        ({"format": "json"}, "[" * 70 + "]" * 70, "nested deeper"),
        ({"format": "base64"}, "a", "can't be read"),
        ({"format": "base64"}, "/w==", "can't be read"),  # not UTF-8
        ({"path": "data.gone"}, {}, "missing"),
        ({}, 5, "not a text"),
    ],
)
def test_what_can_not_be_read_fails(config: dict[str, Any], data: JSON, says: str) -> None:
    kind, message = failure(pass_through("filter.decode", config, data))
    assert kind == "decode"
    assert says in message


@pytest.mark.parametrize(("kind", "expected"), [("csv", [{"ä": "1"}]), ("base64", "ä\n1\n")])
def test_bytes_are_read_as_text(kind: str, expected: JSON) -> None:
    encoded = base64.b64encode("ä\n1\n".encode()).decode()
    event = Event(id="e", source="/s", type="t", time="", accepted_at=0, data_base64=encoded)
    assert pass_through("filter.decode", {"format": kind}, event).out() == [expected]


# --- aggregate
SUM = [{"name": "n", "function": "sum"}]


@pytest.mark.parametrize(
    ("config", "data", "kind"),
    [
        ({"values": SUM}, {"a": 1}, "not-a-list"),
        ({"values": SUM}, ["x"], "aggregate"),
        ({"values": [{**SUM[0], "value": "item.n"}]}, [{}], "expression"),
        ({"values": SUM}, [1] * 10_001, "limit"),
        ({"values": SUM, "group_by": "item"}, list(range(1_001)), "limit"),
        ({"values": [{"name": "l", "function": "list"}]}, [1] * 1_001, "limit"),
    ],
)
def test_what_can_not_be_drawn_together_fails(config: Any, data: JSON, kind: str) -> None:
    assert failure(pass_through("filter.aggregate", config, data))[0] == kind


def test_an_empty_list_gives_what_nothing_gives() -> None:
    assert pass_through("filter.aggregate", {"values": SUM, "path": "data"}, []).out() == [{"n": 0}]


@pytest.mark.parametrize("names", [["key"], ["a", "a"]])
def test_names_in_a_result_differ(names: list[str]) -> None:
    values = [{"name": name, "function": "count"} for name in names]
    with pytest.raises(ValidationError, match="already"):
        Aggregate.Config.model_validate({"values": values})
