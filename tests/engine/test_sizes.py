"""Is there a bound to what one event becomes, whatever its nodes do with it?"""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.make import TYPES, make_arrivals, make_flow
from workflows.engine import sizes
from workflows.engine.compile import compile_flow
from workflows.engine.effects import HttpRequest, Publish
from workflows.engine.event import Event
from workflows.engine.expression import EvaluationError, bind, compile_expression
from workflows.engine.node import Context, Filter, NodeConfig, Port, Result
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.template import compile_template
from workflows.engine.testing import FakeSurroundings
from workflows.engine.walk import Walk

MIB = 1_048_576


class Swell(Filter):
    """Makes as many texts as it is told, each of so many characters."""

    label, icon = "Swell", "maximize"
    outputs = (Port("out", "Out."),)

    class Config(NodeConfig):
        what: str = "event"
        times: int = 1
        characters: int = 10

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return ("kept",)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        config: Any = self.config
        text = "x" * config.characters
        for n in range(config.times):
            if config.what == "event":
                yield "out", event.replace(id=f"{event.id}/{n}", data=text)
            elif config.what == "subject":
                yield "out", event.replace(id=f"{event.id}/{n}", subject=text)
            elif config.what == "publish":
                yield Publish(channel="a", event=event.replace(data=text).as_dict())
            elif config.what == "request":
                yield HttpRequest(method="POST", url="https://a.example", body=text)
            elif config.what == "state":
                ctx.state.set("kept", text)
                yield "out", event
            else:
                yield "out", event.replace(data={1, 2})


def make_swelling(**config: Any) -> Plan:
    flow = make_flow(
        {"in": "producer.start", "s": "filter.swell", "end": "consumer.end"},
        "in:out>s",
        "s:out>end",
    )
    flow["nodes"][1]["config"] = config
    types = {**TYPES, "filter.swell": Swell}
    plan, problems = compile_flow(flow, types, workspace="main", flow="f", version=1)
    assert plan is not None, problems
    return plan


def swell(data: Any = None, **config: Any) -> Walk:
    return run(make_swelling(**config), FakeSurroundings(), arrivals=make_arrivals([data]))


@pytest.mark.parametrize(
    ("what", "characters", "times", "fails"),
    [
        ("event", MIB - 1_000, 1, False),
        ("event", MIB, 1, True),
        ("event", MIB // 2, 15, False),
        ("event", MIB // 2, 17, True),  # all that one event becomes
        ("subject", MIB, 1, True),
        ("publish", MIB, 1, True),
        ("publish", MIB // 2, 17, True),
        ("request", MIB, 1, True),
        ("state", 3 * MIB, 1, False),
        ("state", 4 * MIB, 1, True),
    ],
)
def test_what_is_too_large_fails_its_step_and_leaves_nothing_behind(
    what: str, characters: int, times: int, fails: bool
) -> None:
    walk = swell(what=what, characters=characters, times=times)
    assert [dead.failure["kind"] for dead in walk.dead] == ["limit"] * fails
    if fails:
        assert (walk.asks, walk.inside, walk.state) == ([], [], {})
        assert "at most" in walk.dead[0].failure["message"]
        assert [step.outcome for step in walk.steps] == ["passed", "dead"]


def test_an_event_that_is_only_passed_on_is_not_measured() -> None:
    walk = run(
        make_swelling(what="state", characters=1),
        FakeSurroundings(),
        arrivals=make_arrivals(["x" * 2 * MIB]),
    )
    assert walk.dead == []


def test_what_json_cannot_carry_fails_its_own_event_alone() -> None:
    walk = swell(what="nonsense")
    assert walk.dead[0].failure["kind"] == "bug:data"


def test_events_that_are_too_much_together_are_not_too_much_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "MOST_OF_RUN", 10_000)
    plan = make_swelling(characters=6_000)
    both, one = make_arrivals([1, 2]), make_arrivals([1])
    with pytest.raises(sizes.Overfull):
        run(plan, FakeSurroundings(), arrivals=both, bounded=True)
    assert run(plan, FakeSurroundings(), arrivals=both).dead == []
    many = make_swelling(characters=6_000, times=10)
    assert run(many, FakeSurroundings(), arrivals=one, bounded=True).dead == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["event", "subject", "state"]),
            st.integers(0, 40),
            st.integers(0, MIB + MIB // 8),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_nodes_make_the_walk_stays_bounded_and_accounted_for(
    nodes: list[tuple[str, int, int]],
) -> None:
    ids = ["in", *(f"n{i}" for i in range(len(nodes))), "end"]
    kinds = ["producer.start", *["filter.swell"] * len(nodes), "consumer.end"]
    wires = [f"{a}:out>{b}" for a, b in pairwise(ids)]
    flow = make_flow(dict(zip(ids, kinds, strict=True)), *wires)
    for node, (what, times, characters) in zip(flow["nodes"][1:], nodes, strict=False):
        node["config"] = {"what": what, "times": times, "characters": characters}
    types = {**TYPES, "filter.swell": Swell}
    plan, _ = compile_flow(flow, types, workspace="main", flow="f", version=1)
    assert plan is not None
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals([None]))
    assert len(walk.arrived) == len(walk.steps)
    shown = sum(len(orjson.dumps(step.output)) for step in walk.steps if step.output)
    assert shown <= sizes.MOST_OF_ROOT * 1.1
    assert all(len(orjson.dumps(value)) <= sizes.MOST_STATE for value, _ in walk.state.values())


# --- expressions
BIG: Any = {
    "data": {"blob": "x" * 200_000, "items": list(range(400)), "many": list(range(9_000)), "n": 7}
}


@pytest.mark.parametrize(
    "source",
    [
        "event.data.items.map(i, event.data.blob)",
        "[[event.data.items.map(i, {event.data.blob: i})]]",
        "cel.bind(b, event.data.blob + event.data.blob, [b, b, b, b, b, b, b, b, b, b, b])",
        f"[{', '.join(['event.data.blob'] * 30)}]",
        f"{' + '.join(['event.data.blob'] * 30)}",
        "event.data.many.map(i, i + 1)",
        "[1].exists(n, event . data.many .filter(i, i > n) == [])",
    ],
)
def test_an_expression_whose_result_is_too_large_is_a_limit(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_expression(source).evaluate(bind(BIG, 0.0))
    assert caught.value.kind == "limit"


def test_a_template_that_repeats_a_long_text_is_a_limit() -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_template("${event.data.blob}" * 30).render(bind(BIG, 0.0))
    assert caught.value.kind == "limit"


def test_results_made_one_after_another_are_those_made_at_once() -> None:
    parts = '{"a": [event.data.n, 1.5, null, true, "s", now, duration("90s"), b"x"], "b": {}}'
    plain = compile_expression(parts).evaluate(bind(BIG, 0.0))
    lazily = compile_expression(f"[1].map(i, {parts})[0]").evaluate(bind(BIG, 0.0))
    assert plain == lazily
    assert plain["a"][-3:] == ["1970-01-01T00:00:00Z", "90s", "eA=="]


LARGE_MAP = """
import resource
from tests.engine.make import make_arrivals, make_flow
from workflows.engine.compile import compile_flow
from workflows.engine.run import run
from workflows.engine.testing import FakeSurroundings
from workflows.nodes.filters.transform import Transform
from workflows.nodes.producers.http import Http
flow = make_flow({"in": "producer.http", "m": "filter.transform"}, "in:out>m")
flow["nodes"][1]["config"] = {"set": {"data.all": "event.data.items.map(i, event.data.blob)"}}
types = {"producer.http": Http, "filter.transform": Transform}
plan, _ = compile_flow(flow, types, workspace="main", flow="f", version=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
walk = run(plan, FakeSurroundings(), arrivals=make_arrivals(
    [{"blob": "x" * 200_000, "items": list(range(2_500))}]))
print(walk.dead[0].failure["kind"],
      (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_large_event_repeated_by_a_loop_takes_no_memory() -> None:
    told = subprocess.run(
        [sys.executable, "-c", LARGE_MAP],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    kind, megabytes = told.stdout.split()
    assert kind == "limit"
    assert int(megabytes) < 150
