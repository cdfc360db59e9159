"""Do lists of traces show what there is, whole, with a bounded number of queries?"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from tests import make
from workflows.models import Cursor, Flow, Subscription
from workflows.storage import channels, cursors, tracepages, traces
from workflows.storage.commit import commit
from workflows.storage.pages import Bounds, Place, Search
from workflows.storage.parts import FlowCommit, NewTrace, TraceChange, TraceRef
from workflows.storage.tracepages import Wanted

pytestmark = pytest.mark.django_db
Most = Callable[[int], Any]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Rolled-back tests use ids again: what the process remembers by id must go with them."""
    channels.forget()
    yield
    channels.forget()


def steps(*nodes: str) -> bytes:
    return orjson.dumps({"at": 1.0, "steps": [{"n": node, "o": "passed"} for node in nodes]})


def run(flow: Flow, *offsets: int, state: str = "ok") -> list[TraceRef]:
    """Traces of one commit, one for each offset."""
    refs = [TraceRef(Subscription.objects.get(flow=flow).pk, 0, offset) for offset in offsets]
    new = [
        NewTrace(
            ref=ref,
            version=1,
            state=state,
            open=0,
            delivered=1,
            dead=0,
            type="T",
            key="k",
            event_id=str(ref.offset),
            accepted_at=1.0,
            taken_at=1.0,
            ended_at=1.0,
            error="",
            steps=steps("in", "call"),
        )
        for ref in refs
    ]
    commit([FlowCommit(flow_id=flow.pk, traces=new)], "test", 1.0)
    return refs


def go_on(flow: Flow, ref: TraceRef, *nodes: str) -> None:
    """A later commit of a trace."""
    change = TraceChange(
        ref=ref, open=0, delivered=0, dead=0, ended_at=2.0, error="", steps=steps(*nodes)
    )
    commit([FlowCommit(flow_id=flow.pk, changes=[change])], "test", 2.0)


def every(flow_ids: list[int], wanted: Wanted, limit: int) -> list[str]:
    """The event ids of all pages, one after the other."""
    bounds: Bounds | None = {}
    seen: list[str] = []
    while bounds is not None:
        rows, around = tracepages.page(flow_ids, wanted, Place(bounds), limit)
        seen += [row.event_id for row in rows]
        bounds = around.last
    return seen


def test_a_path_goes_on_through_later_commits() -> None:
    flow = make.published(make.order_document())
    first, second = run(flow, 1, 2)
    go_on(flow, second, "call", "vat")
    go_on(flow, second, "end")
    whole, short = ("in", "call", "vat", "end"), ("in", "call")
    rows, _ = tracepages.page([flow.pk], Wanted(), Place({}), 9)
    assert [row.path for row in rows] == [whole, short]
    assert [row.path for row in traces.newest(flow.pk, 9)] == [whole, short]
    changed, _ = traces.changed(flow.pk, 0, traces.newest_change(flow.pk), 9)
    assert [row.path for row in changed] == [short, whole]
    assert [row and row.path for row in map(traces.find, (first, second))] == [short, whole]


def test_a_filter_that_looks_far_back_goes_on_page_by_page(monkeypatch: Any) -> None:
    monkeypatch.setattr(tracepages, "Search", lambda: Search(3, 0.0))
    flow = make.published(make.order_document())
    run(flow, 1, 2)
    run(flow, *range(3, 12), state="filtered")
    rows, around = tracepages.page([flow.pk], Wanted(state="ok"), Place({}), 5)
    assert rows == []
    assert around.last is not None
    assert tracepages.looked_back_to(around.last) == 1.0
    assert tracepages.looked_back_to({str(flow.pk): 1}) is None
    assert every([flow.pk], Wanted(state="ok"), 5) == ["2", "1"]
    assert every([flow.pk], Wanted(text="1"), 5) == ["1"]


# filters -> the events that wait and fit them, newest first
WAITING = [
    (Wanted(), ["e2", "e1", "e0"]),
    (Wanted(type="Other"), ["e1"]),
    (Wanted(text="Oth"), ["e1"]),
    (Wanted(key="e2"), ["e2"]),
    (Wanted(event="e0"), ["e0"]),
    (Wanted(type="Oth"), []),
]


@pytest.mark.parametrize(("wanted", "left"), WAITING)
def test_what_waits_is_filtered_like_everything(wanted: Wanted, left: list[str]) -> None:
    flow = make.published(make.order_document())
    for i in range(3):  # one at a time, so that each has a moment of its own
        kind = {"type": "Other"} if i == 1 else {}
        make.append(flow, [make.event(f"e{i}", **kind)])
    asked = wanted._replace(state="queued")
    rows, around = tracepages.page([flow.pk], asked, Place({}), 9)
    assert [(row.event_id, row.state) for row in rows] == [(one, "queued") for one in left]
    assert around.last is None


def test_a_subscription_that_closes_waits_for_nothing_behind_its_stop() -> None:
    flow = make.published(make.order_document())
    (place, *_) = make.append(flow, [make.event(f"e{i}", subject="k") for i in range(3)])
    there = Cursor.objects.filter(subscription__flow=flow, partition=place.partition)
    there.update(stop=2)
    Subscription.objects.update(state="closing")
    assert cursors.lag_of_flow(flow.pk) == 2
    assert [row.event_id for row in tracepages.queued([flow.pk], 9)] == ["e1", "e0"]
    assert [len(tracepages.of_place(place.channel_id, place.partition, i)) for i in range(3)] == [
        1,
        1,
        0,
    ]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(state="queued"), Wanted(event="e1")])
def test_more_flows_mean_no_more_queries(
    wanted: Wanted, django_assert_max_num_queries: Most
) -> None:
    flows = [make.published(make.order_document(f"flow-{i}")) for i in range(8)]
    for flow in flows:
        (ref,) = run(flow, 0)
        go_on(flow, ref, "end")
        make.append(flow, [make.event("e1", subject="k")])
    with django_assert_max_num_queries(4):
        rows, _ = tracepages.page([flow.pk for flow in flows], wanted, Place({}), 20)
    assert {row.flow_id for row in rows} == {flow.pk for flow in flows}
