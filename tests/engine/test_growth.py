"""What would fill the memory of a worker is refused before it begins."""

import json
import subprocess
import sys

import pytest

from workflows.engine import celtree
from workflows.engine.expression import EvaluationError, bind, compile_expression, event_env
from workflows.engine.growth import MOST_MEMORY, Growth

HALF = 100_000  # characters
DATA = {
    "long": "a" * HALF,
    "other": "b" * HALF,
    "letters": ["a"] * 9_000,
    "few": ["a", "b"],
    "empty": "",
}
_DOUBLE = "cel.bind(a, event.data.{0} + event.data.{0}, {1})"
_AGAIN = "cel.bind(b, a + a, cel.bind(a, b + b, {}))"


def _doubled(what: str, times: int) -> str:
    body = "size(a)"
    for _ in range(times):
        body = _AGAIN.format(body)
    return _DOUBLE.format(what, body)


GREEDY = [
    'size(event.data.long.replace("a", event.data.other))',
    'size(event.data.long.replace("", event.data.other))',
    "size(event.data.long.replace(event.data.empty, event.data.other))",
    'size(event.data.long.replace("a", "bb" + event.data.other).replace("b", event.data.long))',
    "size(event.data.letters.join(event.data.other))",
    'size(event.data.long.split("").join(event.data.other))',
    "event.data.letters.exists(x, event.data.long + x == event.data.other)",
    "event.data.letters.exists(x, event.data.few.join(event.data.long) == x)",
    'size(event.data.long.split("").map(x, x + "-"))',
    'event.data.letters.exists(x, "%s".format([event.data.long]) == x)',
    _doubled("long", 8),
    _doubled("letters", 8),
]
MODEST = [
    'event.data.letters.join(", ")',
    'event.data.long.replace("a", "bb")',
    'event.data.long.replace("never", event.data.other)',
    "event.data.long + event.data.other + event.data.long + event.data.other",
    '"%s and %s".format([event.data.long, event.data.other])',
    'event.data.letters.exists(x, x + "!" == "b!")',
    'event.data.long.split("b").map(x, x + event.data.other)',
    "event.data.few.map(x, event.data.few.join(x))",
    "base64.encode(bytes(event.data.long))",
]


def _greedy(source: str) -> EvaluationError:
    with pytest.raises(EvaluationError) as caught:
        compile_expression(source).evaluate(bind({"data": DATA}, 0.0))
    return caught.value


@pytest.mark.parametrize("source", GREEDY)
def test_what_would_take_too_much_memory_says_so(source: str) -> None:
    error = _greedy(source)
    assert error.kind == "limit"
    assert "MiB of memory; at most 128 are allowed" in error.says
    assert source in error.says


@pytest.mark.parametrize("source", MODEST)
def test_what_people_do_with_large_events_is_allowed(source: str) -> None:
    compile_expression(source).evaluate(bind({"data": DATA}, 0.0))


CHILD = """
import json, resource, sys
from workflows.engine.expression import EvaluationError, bind, compile_expression
sources, data = json.load(sys.stdin)
activation = bind({"data": data}, 0.0)
compile_expression("1 + 1").evaluate(activation)
resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000,) * 2)
for source in sources:
    try:
        compile_expression(source).evaluate(activation)
    except EvaluationError as error:
        print(error.kind)
"""


def test_refusing_takes_no_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps([GREEDY, DATA]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["limit"] * len(GREEDY), done.stderr


@pytest.mark.parametrize("source", [one for one in MODEST if "exists" not in one])
def test_no_result_is_larger_than_was_foreseen(source: str) -> None:
    growth = Growth(celtree.read(event_env()._native.compile(source).serialize()))
    growth.free = 0.0
    made = compile_expression(source).evaluate(bind({"data": DATA}, 0.0))
    assert len(json.dumps(made)) <= growth.of({"event": {"data": DATA}}) + 64 <= MOST_MEMORY


@pytest.mark.parametrize(
    ("source", "is_tame"),
    [
        ("event.data.amount > 100 && event.type == 'x'", True),
        ("event.data.amount * 1.2", True),
        ("event.data.items.exists(i, i.price > 10)", True),
        ("'Dear ' + event.data.name + ' ' + event.data.surname", True),
        ("event.data.a.replace(event.data.b, event.data.c)", False),
        ("event.data.items.map(i, i.price)", False),
    ],
)
def test_most_expressions_need_no_look_at_the_event(source: str, is_tame: bool) -> None:
    assert Growth(celtree.read(event_env()._native.compile(source).serialize())).is_tame is is_tame
