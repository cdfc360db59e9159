"""What a body says: CloudEvents in three modes, plain JSON, arrays, NDJSON, and what is wrong."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.event import Event
from workflows.ingest.attributes import MOST_DEPTH
from workflows.ingest.problems import Problem
from workflows.ingest.reading import (
    EVENT_BYTES,
    Defaults,
    check_event,
    encode,
    read_events,
    read_trigger,
)

DEFAULTS = Defaults(source="/test", type="Default", now=1_795_413_204.5)
JSON = {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
NDJSON = {"content-type": "application/x-ndjson"}
FULL = {"specversion": "1.0", "id": "a", "source": "/s", "type": "T", "data": {"x": 1}}


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("headers", "body", "ids"),
    [
        (JSON, b'{"id": "a", "type": "T", "data": 1}', ["a"]),
        (JSON, b'[{"id": "a", "type": "T"}, {"id": "b", "type": "T"}]', ["a", "b"]),
        (NDJSON, b'{"id": "a", "type": "T"}\n\n{"id": "b", "type": "T"}\n', ["a", "b"]),
        (STRUCTURED, orjson.dumps(FULL), ["a"]),
        (BATCH, orjson.dumps([FULL, {**FULL, "id": "b"}]), ["a", "b"]),
        (
            {**JSON, "ce-specversion": "1.0", "ce-id": "a", "ce-source": "/s", "ce-type": "T"},
            b'{"x": 1}',
            ["a"],
        ),
    ],
    ids=["json", "array", "ndjson", "structured", "batch", "binary"],
)
def test_each_way_of_sending_events_is_read(
    headers: dict[str, str], body: bytes, ids: list[str]
) -> None:
    read = read_events(headers, body, DEFAULTS)
    assert [event["id"] for event in read if isinstance(event, dict)] == ids


def test_what_an_event_does_not_say_is_filled_in() -> None:
    (event,) = read_events(JSON, b'{"data": {"x": 1}}', DEFAULTS)
    assert isinstance(event, dict)
    assert event["source"] == "/test"
    assert event["type"] == "Default"
    assert event["time"] == "2026-11-23T05:53:24.500Z"
    assert len(event["id"]) == 32


def test_binary_mode_keeps_what_is_not_json() -> None:
    headers = {
        "content-type": "application/octet-stream",
        "ce-specversion": "1.0",
        "ce-id": "a",
        "ce-source": "/s",
        "ce-type": "T",
        "ce-note": "caf%C3%A9",
    }
    (event,) = read_events(headers, b"\x00\xff", DEFAULTS)
    assert isinstance(event, dict)
    assert base64.b64decode(event["data_base64"]) == b"\x00\xff"
    assert event["note"] == "café"


@pytest.mark.parametrize(
    ("value", "status", "says"),
    [
        ("text", 422, "JSON object"),
        ({"id": 7, "type": "T"}, 422, "id must be text"),
        ({"id": "", "type": "T"}, 422, "must not be empty"),
        ({"id": "x" * 256, "type": "T"}, 422, "256 characters"),
        ({"id": "a\x00b", "type": "T"}, 422, "NUL"),
        ({"type": "T", "time": "yesterday"}, 422, "RFC 3339"),
        ({"type": "T", "time": "2026-13-45T99:00:00Z"}, 422, "RFC 3339"),
        ({"type": "T", "time": 1795413204}, 422, "RFC 3339"),
        ({"type": "T", "specversion": "0.3"}, 422, "1.0"),
        ({"type": "T", "Amount": 5}, 422, "put it into data"),
        ({"type": "T", "amount": 1.5}, 422, "whole number"),
        ({"type": "T", "data_base64": "&&&"}, 422, "Base64"),
        ({"type": "T", "data": 1, "data_base64": "aGk="}, 422, "not both"),
        ({"type": "T", "data": _nested(MOST_DEPTH + 1)}, 400, "deeper"),
    ],
)
def test_a_bad_event_is_told_what_is_wrong(value: Any, status: int, says: str) -> None:
    problem = check_event(value, DEFAULTS)
    assert isinstance(problem, Problem)
    assert problem.status == status
    assert says in problem.detail


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (JSON, b"", 400),
        (JSON, b"{", 400),
        (JSON, b'{"id": "\x00"}', 400),
        (JSON, b'{"id": "\xff\xfe"}', 400),
        (JSON, b"[" * 100_000, 400),
        (JSON, b'{"data": NaN}', 400),
        (JSON, b"[]", 422),
        (NDJSON, b"\n\n", 422),
        (JSON, orjson.dumps([1] * 1001), 413),
        (JSON, b" " * (8 * 1024 * 1024 + 1), 413),
        ({"content-type": "text/csv"}, b"a,b", 415),
        (BATCH, orjson.dumps(FULL), 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    headers: dict[str, str], body: bytes, status: int
) -> None:
    with pytest.raises(Problem) as refused:
        read_events(headers, body, DEFAULTS)
    assert refused.value.status == status


def test_one_bad_line_leaves_the_others() -> None:
    read = read_events(NDJSON, b'{"id": "a"}\n{broken\n{"id": "b"}', DEFAULTS)
    assert [type(one) for one in read] == [dict, Problem, dict]


def test_depth_at_the_limit_is_taken() -> None:
    assert isinstance(check_event({"type": "T", "data": _nested(MOST_DEPTH)}, DEFAULTS), dict)


def test_an_event_over_the_limit_is_refused_with_advice() -> None:
    event = check_event({"type": "T", "data": "x" * EVENT_BYTES}, DEFAULTS)
    assert isinstance(event, dict)
    with pytest.raises(Problem) as refused:
        encode(event)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"amount": 120}', {"amount": 120}),  # no `data` member: all of it is the data
        (b'{"type": "T", "data": {"amount": 120}}', {"amount": 120}),  # an event
        (b'{"data": 1, "amount": 2}', {"data": 1, "amount": 2}),  # something else beside `data`
        (b"[1, 2]", [1, 2]),
        (b"", None),
    ],
)
def test_a_trigger_takes_an_event_or_just_its_data(body: bytes, data: Any) -> None:
    (event,) = read_trigger(JSON, body, DEFAULTS)
    assert isinstance(event, dict)
    assert event["data"] == data


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_nothing_that_json_can_say_breaks_the_check(value: Any) -> None:
    """Whatever comes in: an event that reads back as itself, or a problem with a 4xx."""
    read = check_event(value, DEFAULTS)
    if isinstance(read, Problem):
        assert 400 <= read.status < 500
    else:
        try:
            stored = orjson.loads(encode(read))
        except (Problem, TypeError, ValueError):
            return  # a number that JSON can't carry: the door answers 422
        assert Event.from_dict(stored, 0.0).as_dict() == stored


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CARRIED: list[tuple[dict[str, str], dict[str, Any], str | None, Any]] = [
    ({}, {}, None, None),
    ({"traceparent": PARENT}, {}, PARENT, None),
    ({"traceparent": PARENT}, {"traceparent": "own"}, "own", None),
    ({"traceparent": "nonsense"}, {}, None, None),
    ({"eventflow-hops": "4"}, {}, None, 4),
    ({"eventflow-hops": "4"}, {"hops": 2}, None, 4),
    ({"eventflow-hops": "4"}, {"hops": "many"}, None, 4),
    ({"eventflow-hops": "-4"}, {"hops": 2}, None, 2),
    ({"eventflow-hops": "9" * 9}, {}, None, None),
]


@pytest.mark.parametrize(("headers", "event", "traceparent", "hops"), CARRIED)
def test_a_request_of_a_flow_carries_its_trace_and_the_length_of_its_chain(
    headers: dict[str, str], event: dict[str, Any], traceparent: str | None, hops: Any
) -> None:
    defaults = Defaults(source="/s", headers=headers)
    read = check_event({"type": "T", **event}, defaults)
    assert isinstance(read, dict)
    assert (read.get("traceparent"), read.get("hops")) == (traceparent, hops)
