"""Does what is timed still lie where the stopwatch looks for it?"""

from collections.abc import Callable

import pytest

from tests.bench import bydoor, bydrain, byeffect
from tests.bench.parts import Costs
from tests.bench.rates import running_sink
from workflows.tasks import process

pytestmark = [pytest.mark.sqlite_alone, pytest.mark.django_db(transaction=True)]

Measured = Callable[[int], Costs]


@pytest.fixture(autouse=True)
def _two_rounds(monkeypatch: pytest.MonkeyPatch, valkey: str) -> None:
    for module in (bydoor, bydrain, byeffect):
        monkeypatch.setattr(module, "rounds_of", lambda group: 2)


def test_a_request_is_read_stored_and_answered() -> None:
    costs = bydoor.Measure()(3)
    assert {"read and check the event", "append", "append: commit", "the answer"} <= set(costs)
    assert costs["HTTP: read, parse, write (uvicorn)"] > 0


def test_a_drain_reads_runs_records_and_commits() -> None:
    costs = bydrain.Measure()(3)
    parts = {"find what is unread", "read the events", "engine", "commit: insert trace"}
    assert parts <= set(costs)


def test_each_node_has_its_hop() -> None:
    assert len(bydrain.Hops()(3)) == 4


@pytest.mark.parametrize(
    ("group", "part"), [(3, "settle: engine"), (40, "walk on with early answers")]
)
def test_a_call_is_handed_over_and_its_answer_followed(group: int, part: str) -> None:
    try:
        with running_sink() as sink:
            costs = byeffect.Measure(sink)(group)
    finally:
        process.stop(5.0)
    assert {"the call itself", "hand the calls over", part} <= set(costs)
