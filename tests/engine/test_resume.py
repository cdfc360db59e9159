"""Does an event whose calls are answered at once end as one does that waits for its answers?"""

import pytest

from tests.engine.make import make_arrivals, make_plan
from workflows.engine.effects import Reply
from workflows.engine.plan import Plan
from workflows.engine.resume import resume
from workflows.engine.run import run
from workflows.engine.sizes import Overfull
from workflows.engine.testing import FakeSurroundings
from workflows.engine.walk import Settlement, Walk

LINE = {"in": "producer.start", "call": "consumer.call"}
WIRES = ("in:out>call",)
GOOD, BROKEN, BAD = (Reply(ok=True, status=status) for status in (200, 500, 400))


def _walk(plan: Plan, count: int = 1) -> Walk:
    return run(plan, FakeSurroundings(), arrivals=make_arrivals([1] * count))


def _outcomes(walk: Walk) -> list[tuple[int, str, str]]:
    return [(step.root, step.node, step.outcome) for step in walk.steps]


def test_what_was_answered_never_waited() -> None:
    plan = make_plan(LINE, *WIRES)
    first = _walk(plan)
    walk, answered = resume(plan, FakeSurroundings(), first, {0: GOOD}, 0.0)
    assert answered == {0}
    assert _outcomes(walk) == [(0, "in", "passed"), (0, "call", "delivered")]
    assert walk.asks == []
    assert walk.arrived == first.arrived
    assert _outcomes(first)[-1] == (0, "call", "waiting"), "the first walk is as it was"


@pytest.mark.parametrize(
    ("reply", "ends"), [(GOOD, "delivered"), (BAD, "dead")], ids=["good", "refused"]
)
def test_it_ends_as_if_it_had_been_committed_in_between(reply: Reply, ends: str) -> None:
    plan = make_plan(LINE, *WIRES)
    first = _walk(plan)
    (ask,) = first.asks
    settled = [Settlement(ask.arrival, ask.effect, reply, 1, 7.0)]
    later = run(plan, FakeSurroundings(), settlements=settled)
    walk, _ = resume(plan, FakeSurroundings(), first, {0: reply}, 7.0)
    assert _outcomes(walk)[-1] == _outcomes(later)[-1] == (0, "call", ends)
    assert walk.dead == later.dead


def test_what_has_to_be_made_again_stays_an_ask_and_the_others_go_on() -> None:
    plan = make_plan(LINE, *WIRES)
    first = _walk(plan, 4)
    replies = {0: GOOD, 1: BROKEN, 3: GOOD}
    walk, answered = resume(plan, FakeSurroundings(), first, replies, 0.0)
    assert answered == {0, 3}
    assert walk.asks == [first.asks[1], first.asks[2]]
    assert walk.retries == []
    ends = {root: outcome for root, node, outcome in _outcomes(walk) if node == "call"}
    assert ends == {0: "delivered", 1: "waiting", 2: "waiting", 3: "delivered"}


def test_what_an_answer_asks_for_comes_after_what_is_still_open() -> None:
    plan = make_plan({**LINE, "next": "consumer.call"}, *WIRES, "call:response>next")
    walk, _ = resume(plan, FakeSurroundings(), _walk(plan, 2), {0: GOOD}, 0.0)
    asking = [(ask.arrival.root, ask.arrival.node) for ask in walk.asks]
    assert asking == [(1, "call"), (0, "next")]


def test_with_no_answers_nothing_changes() -> None:
    plan = make_plan(LINE, *WIRES)
    first = _walk(plan)
    assert resume(plan, FakeSurroundings(), first, {}, 0.0) == (first, frozenset())


def test_answers_that_become_too_much_together_are_left_to_smaller_commits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan(LINE, *WIRES)
    first = _walk(plan)

    def overfull(*_: object, **__: object) -> Walk:
        raise Overfull

    monkeypatch.setattr("workflows.engine.resume.run", overfull)
    assert resume(plan, FakeSurroundings(), first, {0: GOOD}, 0.0) == (first, frozenset())
