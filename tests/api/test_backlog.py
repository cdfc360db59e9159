"""What a flow has still before it, as programs see it."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests import make
from tests.api.client import program
from tests.explain import plan_of, reads_all_of
from workflows.engine.limits import Limits
from workflows.models import Effect, Flow, Gate, Held, Minute
from workflows.storage import backlogs, destinations, gates
from workflows.storage.parked import BEHIND
from workflows.tasks import process

Work = Callable[[Flow], None]


def test_the_backlog_tells_what_is_unread_and_what_is_held(work: Work) -> None:
    nodes = [
        ("in", "producer.http", {}),
        ("wait", "filter.delay", {"seconds": 3_600}),
        ("end", "consumer.log", {}),
    ]
    flow = make.published(make.document("orders", nodes, ["in:out wait", "wait:out end"]))
    since = time.time()
    make.append(flow, [make.event("a"), make.event("b")])
    work(flow)
    make.append(flow, [make.event("unread")])
    backlog = program("flows:read").expect(200, "GET", "flows/orders/backlog")
    (reader,), (node,) = backlog["readers"], backlog["nodes"]
    assert (reader["node"], reader["channel"], reader["lag"]) == ("in", "orders.in", 1)
    assert (reader["lag_policy"], reader["expired"]) == ("block", 0)
    assert (node["node"], node["calls"], node["held"]) == ("wait", 0, 2)
    assert all(since - 1 < one["oldest"] < time.time() + 1 for one in (reader, node))


TO = "http://127.0.0.1:9"


def _calling(work: Work, count: int = 3, **config: Any) -> Flow:
    """A flow of which so many calls wait, none of them begun."""
    call: make.Node = ("call", "consumer.http", {"url": f"{TO}/", **config})
    flow = make.published(
        make.document("orders", [("in", "producer.http", {}), call], ["in:out call"])
    )
    make.append(flow, [make.event(str(n)) for n in range(count)])
    work(flow)
    process.stop(5.0)  # nobody calls from here on
    Effect.objects.update(owner="", due_at=0.0, attempt=0, failure=None)
    return flow


def _nothing(flow: Flow) -> None:
    pass


def _limit(flow: Flow) -> None:
    destinations.limit(flow.workspace_id, TO, Limits(at_once=1))


def _down(flow: Flow) -> None:
    gates.open_breaker(flow.workspace_id, TO, "No answer.")


def _failed(flow: Flow) -> None:
    Effect.objects.update(failure=b'{"message": "No answer."}', attempt=1, due_at=time.time() + 9)


def _begun(flow: Flow) -> None:
    Effect.objects.update(owner="somebody", due_at=time.time() + 9)


def _behind(flow: Flow) -> None:
    Effect.objects.update(due_at=BEHIND)


@pytest.mark.parametrize(
    ("act", "config", "why"),
    [
        (_nothing, {}, "worker"),
        (_nothing, {"limits": {"at_once": 1}}, "limit"),
        (_limit, {}, "limit"),
        (_down, {}, "down"),
        (_failed, {}, "retry"),
        (_begun, {}, "under_way"),
        (_behind, {}, "turn"),
    ],
)
def test_the_backlog_says_why_calls_wait(
    work: Work, act: Callable[[Flow], None], config: dict[str, Any], why: str
) -> None:
    flow = _calling(work, **config)
    act(flow)
    backlog = program("flows:read").expect(200, "GET", "flows/orders/backlog")
    (node,) = backlog["nodes"]
    (wait,) = node["waits"]
    assert (node["calls"], node["held"], backlog["whole"]) == (3, 0, True)
    assert (wait["why"], wait["n"], wait["destination"]) == (why, 3, TO)
    assert (wait["goes_on"] is not None) == (why in ("down", "retry"))
    assert wait["says"] == ("No answer." if why == "down" else "")
    Gate.objects.all().delete()


def test_what_failed_and_what_was_not_called_wait_alike_for_what_is_down(work: Work) -> None:
    flow = _calling(work)
    first = Effect.objects.order_by("number")[0]
    Effect.objects.filter(number=first.number).update(failure=b"{}", attempt=1)
    _down(flow)
    (node,) = program("flows:read").expect(200, "GET", "flows/orders/backlog")["nodes"]
    assert [(wait["why"], wait["n"]) for wait in node["waits"]] == [("down", 3)]


def test_a_look_at_what_is_parked_is_bounded(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = _calling(work, 5)
    monkeypatch.setattr(backlogs, "MOST_ROWS", 3)
    parked = backlogs.nodes(flow)
    assert (parked.nodes[0].calls, parked.is_whole) == (3, False)
    assert not Held.objects.exists()
    plan = plan_of(lambda: backlogs.nodes(flow))
    for table in ("workflows_effect", "workflows_held"):
        assert not reads_all_of(table, plan)


def test_the_backlog_tells_how_fast_events_are_taken(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(n)) for n in range(10)])
    work(flow)
    Minute.objects.update(minute=int(time.time() // 60) - 2)
    backlog = program("flows:read").expect(200, "GET", "flows/orders/backlog")
    assert 2.0 <= backlog["taken_per_minute"] <= 2.5
