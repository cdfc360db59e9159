"""Where do two runs of an event first differ, and is that a difference at all?"""

from typing import Any

import pytest

from workflows.traces.compare import compare

ORDER = ("in", "new", "big", "vat", "call")


def step(node: str, outcome: str, *ports: str, **more: Any) -> dict[str, Any]:
    return {"n": node, "o": outcome, "p": list(ports), "t": 1, **more}


IN = step("in", "passed", "out")
BIG = step("big", "passed", "match")
SMALL = step("big", "filtered", w={"condition": [{"text": "a > 1", "value": False}]})
SENT = step("call", "delivered", a=1)
LOST = step("call", "dead", a=3, e={"kind": "status-400", "message": "No."})


def vat(total: float) -> dict[str, Any]:
    return step("vat", "passed", "out", d={"id": "e", "data": {"total": total}})


CASES: tuple[tuple[str, list[Any], list[Any], tuple[str, ...]], ...] = (
    ("the same", [IN, BIG, SENT], [IN, BIG, SENT], ("same", "", "", "")),
    (
        "waiting and trying again don't count",
        [IN, step("call", "waiting"), step("call", "retrying", a=1), SENT],
        [IN, step("call", "waiting"), SENT],
        ("same", "", "", ""),
    ),
    (
        "a filter decides otherwise",
        [IN, BIG, SENT],
        [IN, SMALL],
        ("different", "big", "passed by match", "filtered"),
    ),
    (
        "a new node stops it",
        [IN, BIG, SENT],
        [IN, step("new", "filtered")],
        ("different", "new", "not reached", "filtered"),
    ),
    ("a new node passes it", [IN, SENT], [IN, step("new", "passed", "out"), SENT], ("same",)),
    (
        "behind a new node that passes it",
        [IN, BIG, SENT],
        [IN, step("new", "passed", "out"), SMALL],
        ("different", "big", "passed by match", "filtered"),
    ),
    (
        "it fails",
        [IN, SENT],
        [IN, LOST],
        ("different", "call", "delivered", "dead: status-400"),
    ),
    ("it fails as before", [IN, LOST], [IN, LOST], ("same",)),
    (
        "another way to the same kind of end",
        [IN, step("big", "passed", "low"), SENT],
        [IN, step("big", "passed", "high"), step("vat", "delivered")],
        ("different", "big", "passed by low", "passed by high"),
    ),
    (
        "other content",
        [IN, vat(120), SENT],
        [IN, vat(119), SENT],
        ("content", "vat", "", "data.total differs"),
    ),
    (
        "a node that was taken out",
        [IN, step("old", "filtered")],
        [IN, SENT],
        ("different", "call", "not reached", "delivered"),
    ),
    (
        "twice instead of once",
        [IN, SENT],
        [IN, SENT, SENT],
        ("different", "call", "delivered", "2 times delivered"),
    ),
)


@pytest.mark.parametrize(
    ("live", "shadow", "wanted"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_two_runs_are_compared(live: list[Any], shadow: list[Any], wanted: tuple[str, ...]) -> None:
    assert compare(live, shadow, ORDER)[: len(wanted)] == wanted


def test_the_difference_tells_its_reason_and_its_values() -> None:
    assert compare([IN, BIG], [IN, SMALL], ORDER).detail == "a > 1 is not met"
    assert compare([IN, LOST], [IN, SENT], ORDER).detail == ""
    assert compare([IN, SENT], [IN, LOST], ORDER).detail == "No."
    assert compare([IN, vat(120)], [IN, vat(119)], ORDER).detail == "120 → 119"
