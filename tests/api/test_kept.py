"""The values that a node keeps by key, as programs look them up."""

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests import make
from tests.api.client import program
from workflows.models import Flow, NodeState

Work = Callable[[Flow], None]
PATH = "flows/meters/nodes/last/values"


@pytest.fixture
def meters(work: Work) -> Flow:
    """A flow that keeps the last reading of each meter, and has seen some."""
    keep: make.Node = ("last", "filter.state", {"key": "event.data[0]", "value": "event.data[1]"})
    nodes = [("in", "producer.http", {}), keep, ("end", "consumer.log", {})]
    flow = make.published(make.document("meters", nodes, ["in:out last", "last:out end"]))
    readings = [("pump 7", 1), (8, {"kwh": 3}), ("pump 7", 2), ("long" * 100, None)]
    for n, data in enumerate(readings):
        make.append(flow, [make.event(f"e{n}", data=list(data), subject="one")])
    work(flow)
    return flow


def test_the_last_value_of_each_key_is_listed_page_by_page(meters: Flow) -> None:
    since = time.time() - 60
    rows = program("traces:read").all(f"{PATH}?limit=1")
    assert [(row["key"][:8], row["value"]) for row in rows] == [
        ("8", {"kwh": 3}),
        ("longlong", None),
        ("pump 7", 2),
    ]
    assert all(row["kept_at"] < row["until"] for row in rows)
    assert time.strftime("%Y-%m-%dT%H:%M", time.gmtime(since)) < rows[0]["kept_at"]


@pytest.mark.parametrize(
    ("key", "values"), [("pump 7", [2]), ("8", [{"kwh": 3}]), ("long" * 100, [None]), ("9", [])]
)
def test_one_key_is_looked_up_as_it_reads(meters: Flow, key: str, values: list[object]) -> None:
    found = program("traces:read").all(f"{PATH}?key={quote(key)}")
    assert [row["value"] for row in found] == values


def test_what_is_forgotten_is_not_told(meters: Flow) -> None:
    NodeState.objects.filter(key="8").update(expires_at=time.time() - 1)
    assert program("traces:read").all(f"{PATH}?key=8") == []
    assert len(program("traces:read").all(PATH)) == 2


def test_only_nodes_that_keep_values_are_asked(meters: Flow) -> None:
    api = program("traces:read")
    for node in ("in", "none"):
        problem = api.expect(404, "GET", f"flows/meters/nodes/{node}/values")
        assert "keeps values" in problem["detail"]
    program("flows:read").expect(403, "GET", PATH)
