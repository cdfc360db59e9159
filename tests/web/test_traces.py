"""What does a trace's page tell, and is it true?"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World
from workflows.storage.parts import TraceRef
from workflows.storage.traces import TraceRow
from workflows.web.inputs import inputs_of
from workflows.web.jsonview import Line, coloured, compare
from workflows.web.steps import Look, Step, show, todo_for
from workflows.web.traces import shares

Browser = Callable[[str], Client]
CAME: dict[str, Any] = {"specversion": "1.0", "data": {"amount": 150}}
MADE: dict[str, Any] = {"specversion": "1.0", "data": {"amount": 150, "total": 180}}
WIRES = [
    {"from": "in:out", "to": "big"},
    {"from": "big:match", "to": "vat"},
    {"from": "vat:out", "to": "call"},
    {"from": "split:out", "to": "call"},
]


def steps(*raw: dict[str, Any], at: float = 10.0, origin: Any = CAME) -> list[Step]:
    looks = {"in": Look("Orders in", "HTTP", "webhook", "producer", "")}
    return show([{"at": at, "steps": list(raw)}], WIRES, looks, origin, (0.0, 10.0))


def test_an_event_is_followed_along_the_wires() -> None:
    raw = [
        {"n": "in", "o": "passed", "p": ["out"]},
        {"n": "big", "o": "passed", "p": ["match"]},
        {"n": "vat", "o": "passed", "p": ["out"], "d": MADE},
        {"n": "call", "o": "waiting"},
        {"n": "call", "o": "retrying"},
        {"n": "call", "o": "delivered"},
    ]
    assert inputs_of(raw, WIRES, CAME) == [CAME, CAME, CAME, MADE, MADE, MADE]


def test_each_part_of_a_split_event_reaches_its_own_step() -> None:
    parts = [{"specversion": "1.0", "data": i} for i in range(2)]
    made = {"events": parts, "total": 2}
    raw = [{"n": "split", "o": "passed", "p": ["out", "out"], "d": made}]
    raw += [{"n": "call", "o": "delivered"}] * 2
    assert inputs_of(raw, WIRES, CAME) == [CAME, *parts]


def test_what_would_be_a_guess_is_left_open() -> None:
    """One of two emissions changed: which one isn't recorded."""
    raw = [
        {"n": "split", "o": "passed", "p": ["out", "out"], "d": MADE},
        {"n": "call", "o": "delivered"},
        {"n": "nowhere", "o": "dead"},
    ]
    assert inputs_of(raw, WIRES, CAME) == [CAME, None, None]


def test_changed_fields_are_marked_with_what_is_around_them() -> None:
    (step,) = steps({"n": "vat", "o": "passed", "p": ["out"], "d": MADE, "t": 40})
    assert Line("ins", '    "total": 180') in step.changes
    assert not [line for line in step.changes if line.kind == "del"]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 1, [Line("", "1")]),
        (1, 2, [Line("del", "1"), Line("ins", "2")]),
        (
            {"a": 1},
            {"a": 1, "b": 2},
            [("", "{"), ("", '  "a": 1,'), ("ins", '  "b": 2'), ("", "}")],
        ),
        (
            list(range(9)),
            [*range(8), 9],
            [("gap", "…"), ("", "  6,"), ("", "  7,"), ("del", "  8")],
        ),
    ],
)
def test_json_is_compared_line_by_line(before: Any, after: Any, lines: list[Line]) -> None:
    assert compare(before, after)[: len(lines)] == lines


def test_coloured_json_reads_as_the_json_it_is() -> None:
    html = coloured({"a<b": 'x"</code><script>', "n": -1.5e3, "ok": None})
    assert "<script>" not in html
    assert '<span class="code-key">&quot;a&lt;b&quot;</span>: ' in html
    assert '<span class="code-number">-1500.0</span>' in html


def test_a_condition_tells_the_value_of_each_part() -> None:
    why = {
        "condition": [
            {"text": "a > 1", "value": True, "values": {"a": 2}},
            {"text": "b", "value": False},
            {"text": "c", "value": None, "skipped": True},
            {"text": "d", "value": None, "error": "The event has no d."},
            {"text": "e", "value": 7},
        ],
        "result": False,
    }
    (step,) = steps({"n": "big", "o": "filtered", "w": why})
    (verdict,) = step.verdicts
    assert verdict.result == "is not met"
    assert [leaf.mark for leaf in verdict.leaves] == ["yes", "no", "skipped", "error", "value"]
    assert verdict.leaves[0].values == (("a", "2"),)
    assert verdict.leaves[3].value == "The event has no d."


def test_each_case_of_a_switch_is_told() -> None:
    cases = [{"case": "large", "condition": [], "result": None}, {"case": "rest", "result": True}]
    (step,) = steps({"n": "big", "o": "passed", "w": {"switch": cases}})
    told = [(one.title, one.result) for one in step.verdicts]
    assert told == [("large", "could not be worked out"), ("rest", "is met")]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"reason": "Too late."}, ("Too late.",)),
        ({"unwired": ["other"]}, ("It left by other, which leads nowhere.",)),
        ({"because": [1, 2]}, ("[1, 2]",)),
        (None, ()),
    ],
)
def test_reasons_are_sentences(raw: Any, says: tuple[str, ...]) -> None:
    (step,) = steps({"n": "in", "o": "filtered", "w": raw})
    assert step.says == says


def test_steps_of_one_commit_lie_one_after_the_other() -> None:
    first, second = steps(
        {"n": "in", "o": "passed", "t": 1_000_000}, {"n": "big", "o": "dead", "t": 3_000_000}
    )
    assert (first.bar_x, first.bar_width) == (60.0, 10.0)
    assert (second.bar_x, second.bar_width) == (70.0, 30.0)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("timeout", "too long"),
        ("status-503", "trouble of its own"),
        ("status-422", "refuses"),
        ("bug:KeyError", "fault in the node type"),
        ("crash", "runs it alone"),
        ("never-seen", ""),
    ],
)
def test_a_failure_comes_with_what_to_do(kind: str, advice: str) -> None:
    assert advice in todo_for(kind)
    assert bool(advice) == bool(todo_for(kind))


@pytest.mark.parametrize("taken_at", [None, 10.2])
def test_the_parts_of_the_time_are_all_of_it(taken_at: float | None) -> None:
    row = TraceRow(TraceRef(1, 0, 0), 1, 1, 1, "ok", "t", "k", "e", 10.0, taken_at, 11.0, "", 1, ())
    own = steps({"n": "in", "o": "delivered", "t": 5_000, "x": 300.0})
    found = shares(row, own if taken_at else [], 11.0)
    assert sum(share.ms for share in found) == pytest.approx(1000)
    assert sum(share.width for share in found) == pytest.approx(100, abs=0.1)
    by_name = {share.name: share.ms for share in found}
    assert by_name["queued"] == pytest.approx(1000 if taken_at is None else 200)


def test_a_failed_trace_says_why_and_leads_to_its_dead_letter(
    world: World, browser: Browser
) -> None:
    page = browser("viewer").get(f"/w/main/traces/{world.failed}").content.decode()
    assert "The condition <b>could not be worked out</b>" in page
    assert "The event has no &quot;amount&quot;" in page
    assert f"/w/main/dead-letters/{world.letter}" in page


def test_a_queued_trace_says_that_nobody_has_taken_it(world: World, browser: Browser) -> None:
    (place,) = make.append(world.flow, [make.event("late")])
    subscription = world.trace.split("-")[0]
    address = f"/w/main/traces/{subscription}-{place.partition}-{place.offset}"
    assert "no worker has taken it yet" in browser("viewer").get(address).content.decode()


def test_the_address_in_an_answer_to_a_program_works_for_people(
    world: World, browser: Browser
) -> None:
    page = browser("viewer").get(f"/w/main/events/{world.position}").content.decode()
    assert f"/w/main/traces/{world.trace}" in page


@pytest.mark.parametrize("address", ["1-2", "x", "1-2-3-4", "9-9-9", "1-0-99999999999999999999"])
@pytest.mark.parametrize("kind", ["events", "traces"])
def test_no_such_place_is_not_found(
    world: World, browser: Browser, kind: str, address: str
) -> None:
    assert browser("viewer").get(f"/w/main/{kind}/{address}").status_code == 404


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [("big", "/events/"), ("order", "/flows/orders"), ("customer-1", "/traces/"), ("zzz", "")],
)
def test_the_search_box_finds(world: World, browser: Browser, text: str, leads_to: str) -> None:
    page = browser("viewer").get("/w/main/search", {"q": text}).content.decode()
    content = page[page.index("<main") :]
    assert ("Nothing found" in content) == (not leads_to)
    assert leads_to in content


def test_the_number_of_a_trace_leads_straight_to_it(world: World, browser: Browser) -> None:
    answer = browser("viewer").get("/w/main/search", {"q": world.trace})
    assert answer.headers["Location"] == f"/w/main/traces/{world.trace}"
