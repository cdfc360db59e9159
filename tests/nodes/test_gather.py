"""Do the parts of a split come together again, all of them or those that came in time?"""

from itertools import pairwise
from typing import Any

import pytest

from tests.nodes.test_filters import plan_with
from tests.nodes.watching import Watched
from workflows.engine.compile import compile_flow
from workflows.engine.event import JSON, Event
from workflows.engine.rehearsal import NOW, Timeline
from workflows.engine.walk import Arrival
from workflows.nodes.registry import node_types


def part(split_id: str, index: int, total: int, data: JSON) -> Event:
    marks = {"splitid": split_id, "splitindex": index, "splittotal": total}
    return Event(
        id=f"{split_id}/{index}/{data}",
        source="/s",
        type="t",
        time="",
        accepted_at=NOW,
        data=data,
        extensions={**marks, "tenant": "a"},
    )


def gather(**config: Any) -> Watched:
    return Watched("filter.gather", {"timeout_seconds": 10, **config})


def test_parts_go_on_in_the_order_of_the_split_when_the_last_one_comes() -> None:
    watched = gather()
    for at, index in ((0, 2), (1, 0), (9, 1)):
        watched.feed(at, part("s", index, 3, f"part {index}"))
    watched.feed(9, part("s", 1, 3, "again"))
    watched.finish()
    assert watched.when() == [(9, ["part 0", "part 1", "part 2"])]
    assert watched.outcomes() == ["batched", "batched", "passed", "deduplicated"]
    kept = watched.events()[0].extensions
    assert kept["tenant"] == "a"
    assert not any(name.startswith("split") for name in kept)


def test_what_came_in_time_goes_on_with_what_is_missing() -> None:
    watched = gather()
    for at, index in ((0, 2), (1, 0), (10, 1)):
        watched.feed(at, part("s", index, 4, index))
    watched.finish()
    assert watched.when("incomplete") == [(10, {"items": [0, 2], "missing": [1, 3], "total": 4})]
    assert watched.out() == []
    assert watched.outcomes() == ["passed", "batched", "deduplicated"]


def test_splits_are_told_apart_and_memory_is_given_back() -> None:
    watched = gather()
    watched.feed(0, *(part(split, n, 2, split) for n in range(2) for split in "ab"))
    assert watched.finish().out() == [["a", "a"], ["b", "b"]]
    watched.timeline.advance(NOW + 40 * 86_400)
    assert watched.timeline.surroundings.count_state() == 0


@pytest.mark.parametrize("catching_up", [False, True])
def test_a_single_part_is_a_whole(catching_up: bool) -> None:
    watched = gather()
    watched.feed(0, part("s", 0, 1, "x"), behind=3600.0 * catching_up)
    assert watched.finish().out() == [["x"]]


def test_too_much_to_gather_fails() -> None:
    watched = gather()
    watched.feed(0, part("s", 0, 1_001, 1), part("t", 0, 2, "x" * 999_999))
    assert [event.extensions["errorkind"] for event in watched.finish().events("error")] == [
        "limit",
        "limit",
    ]


def flow(*filters: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    nodes = [{"id": "in", "type": "producer.manual", "config": {}}]
    nodes += [{"id": i, "type": kind, "config": config} for i, kind, config in filters]
    nodes += [{"id": "end", "type": "consumer.log", "config": {}}]
    ids = [str(node["id"]) for node in nodes]
    wires = [{"from": f"{a}:out", "to": b} for a, b in pairwise(ids)]
    return {"nodes": nodes, "wires": wires}


def test_a_split_within_a_split_is_gathered_from_the_inside() -> None:
    document = flow(
        ("outer", "filter.split", {}),
        ("inner", "filter.split", {}),
        ("twice", "filter.transform", {"set": {"data": "event.data * 2"}}),
        ("rows", "filter.gather", {}),
        ("all", "filter.gather", {}),
    )
    plan, problems = compile_flow(document, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    timeline = Timeline(plan, now=NOW)
    event = Event(
        id="e", source="/s", type="t", time="", accepted_at=NOW, data=[[1, 2], [3], [4, 5, 6]]
    )
    timeline.feed(Arrival(0, "in", event))
    timeline.finish()
    outputs = [s.output for w in timeline.walks for s in w.steps if s.node == "all" and s.output]
    assert [output["data"] for output in outputs] == [[[2, 4], [6], [8, 10, 12]]]
    assert not {"splitid", "splitouter"} & outputs[0].keys()


def test_a_part_keeps_where_it_belongs() -> None:
    timeline = Timeline(plan_with("filter.split", {}, "out"), now=NOW)
    event = Event(id="e", source="/s", type="t", time="", accepted_at=NOW, data=[1, 2])
    timeline.feed(Arrival(0, "in", event))
    output: Any = next(s.output for s in timeline.walks[0].steps if s.node == "x")
    assert len({one["splitid"] for one in output["events"]}) == 1
