"""Do flow files differ only where flows differ, and keep all that is in them?"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.flowfile import FlowFileError, diff, dumps, loads, normalise

FLOW: dict[str, Any] = {
    "wires": [{"to": "b", "from": "a:out"}, {"from": "a:error", "to": "b"}],
    "nodes": [
        {"config": {"y": 1, "x": {"b": 1, "a": 2}}, "id": "b", "type": "filter.future"},
        {"id": "a", "type": "producer.http", "name": "In", "config": {}},
    ],
    "name": "Größe",
    "extra": {"kept": True},
    "format": "eventflow/1",
    "slug": "orders",
    "layout": {"b": [1, 2], "a": [0, 0]},
}


def test_the_file_has_its_keys_and_lists_in_order() -> None:
    text = dumps(FLOW)
    document = json.loads(text)
    assert list(document) == [
        "format", "slug", "name", "description", "settings", "nodes", "wires", "layout", "extra",
    ]  # fmt: skip
    assert [node["id"] for node in document["nodes"]] == ["a", "b"]
    assert [wire["from"] for wire in document["wires"]] == ["a:error", "a:out"]
    assert list(document["nodes"][1]["config"]["x"]) == ["a", "b"]
    assert "Größe" in text
    assert text.startswith('{\n  "format"')
    assert text.endswith("}\n")


def test_reading_and_writing_again_changes_nothing() -> None:
    text = dumps(FLOW)
    assert dumps(loads(text)) == text
    assert loads(text) == normalise(FLOW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "This is not JSON"),
        ('{"format": "eventflow/1", "x": NaN}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "one JSON object"),
        ("{}", 'The format must be "eventflow/1".'),
        ('{"format": "eventflow/2"}', "The format"),
        ('{"format": "eventflow/1", "nodes": {}}', '"nodes" must be a list.'),
        ('{"format": "eventflow/1", "wires": [1]}', 'Every item of "wires"'),
        ('{"format": "eventflow/1", "name": 5}', '"name" must be a text.'),
        ('{"a": ' * 70 + "1" + "}" * 70, "nested deeper"),
        (" " * (1024 * 1024 + 1), "1 MiB"),
    ],
)
def test_what_is_no_flow_file_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(FlowFileError) as caught:
        loads(text)
    assert says in caught.value.says


def test_a_diff_tells_each_change_on_a_line() -> None:
    after = json.loads(json.dumps(FLOW))
    after["name"] = "Other"
    after["nodes"][0]["config"]["x"]["a"] = 3
    after["nodes"].append({"id": "c", "type": "consumer.log", "config": {}})
    after["wires"] = [{"from": "a:out", "to": "c"}, *after["wires"][:1]]
    after["layout"]["a"] = [9, 9]
    assert diff(FLOW, after) == [
        '~ name: "Größe" → "Other"',
        "~ b.config.x.a: 2 → 3",
        "+ node c (consumer.log)",
        "- wire a:error → b",
        "+ wire a:out → c",
        "~ moved: a",
    ]
    assert diff(FLOW, FLOW) == []


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"format"',
        '"eventflow/1"',
        '"nodes"',
        "1e999",
        "null",
        '"\\ud800"',
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_reading_any_text_ends_in_a_flow_or_a_reason(text: str) -> None:
    try:
        document = loads(text)
    except FlowFileError as error:
        assert error.says
    else:
        assert document["format"] == "eventflow/1"
        assert loads(dumps(document)) == document


def test_a_text_with_half_a_character_can_be_written() -> None:
    assert "?" in dumps({**FLOW, "name": "\ud800"})
