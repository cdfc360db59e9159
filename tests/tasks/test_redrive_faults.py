"""Runs over dead letters whose worker dies, is stopped, or meets what no column takes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests import make
from tests.servers import wait_until
from tests.sink import Sink, Stall
from tests.tasks.killing import Killed, kill_at
from tests.tasks.replaying import drain, http, settled
from workflows.models import DeadLetter, Flow, Redrive, Trace
from workflows.storage import accounting, publishing, redrives, redrivework
from workflows.storage.deadgroups import Wanted
from workflows.tasks import redrive


def _died(slug: str = "orders", count: int = 6) -> Flow:
    """A flow that fails for events without an amount, mended since."""
    flow = make.published(make.order_document(slug))
    make.append(flow, [make.event(f"e{n}", data={"n": n}) for n in range(count)])
    drain(flow)
    body = make.order_document(slug)
    body["nodes"][1]["config"] = {"condition": "event.data.n >= 0"}
    body["nodes"][2]["config"] = {"set": {"data.seen": "true"}}
    publishing.publish(flow, body)
    return flow


def _all_of(flow: Flow) -> Redrive:
    wanted = Wanted(flow=flow.slug)
    return redrives.start(flow.workspace_id, "olga", redrives.Order(wanted))


def _work_on(run: Redrive) -> None:
    Redrive.objects.filter(ended_at=None).update(due_at=0)  # leases and pauses are over
    while redrive.work_on(run.pk):
        pass


def test_a_kill_between_any_two_statements_loses_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nth, was_killed = 0, True
    while was_killed:
        nth += 1
        flow = _died(f"orders{nth}")
        run = _all_of(flow)
        with monkeypatch.context() as patched:
            seen = kill_at(patched, nth)
            with contextlib.suppress(Killed):
                redrive.work_on(run.pk)
            was_killed = seen[0] >= nth
        _work_on(run)
        run.refresh_from_db()
        assert (run.state, run.total, run.done, run.ok, run.failed) == ("done", 6, 6, 6, 0), nth
        assert run.ended_at is not None
        assert Trace.objects.filter(flow=flow, run__gt=0).count() == 6
        assert accounting.examine(flow.pk, 100_000).findings == []
    assert nth > 10


@contextlib.contextmanager
def _meanwhile(statement: str, act: Any) -> Iterator[None]:
    """Let `act` happen just before the first statement with these words."""
    left = [act]

    def watch(execute: Any, query: str, params: Any, many: bool, context: Any) -> Any:
        if left and statement in query:
            left.pop()()
        return execute(query, params, many, context)

    with connection.execute_wrapper(watch):
        yield


def test_an_outcome_that_two_workers_see_counts_once(sink: Sink) -> None:
    flow = make.published(make.order_document(consumer=http(sink)))
    sink.answer = lambda call: (400, {}, b"")
    make.append(flow, [make.event(f"e{n}") for n in range(4)])
    drain(flow)
    wait_until(lambda: DeadLetter.objects.count() == 4)
    sink.answer = stall = Stall()
    run = _all_of(flow)
    redrive.work_on(run.pk)  # which ends before an outcome is known
    stall.go_on.set()
    wait_until(lambda: settled(flow))
    Redrive.objects.update(due_at=0)
    slow = redrivework.take(run.pk, "slow")
    Redrive.objects.update(due_at=0)
    quick = redrivework.take(run.pk, "quick")
    assert slow is not None
    assert quick is not None
    with _meanwhile("UPDATE workflows_deadletter", lambda: redrivework.look(quick)):
        redrivework.look(slow)
    _work_on(run)
    run.refresh_from_db()
    assert (run.done, run.ok, run.failed) == (4, 4, 0)
    assert run.ended_at is not None


def test_a_letter_of_an_event_with_a_strange_type_runs_again() -> None:
    strange = "x" * 300
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("name", "filter.transform", {"set": {"type": f'"{strange}"'}}),
        ("big", "filter.condition", {"condition": "event.data.amount > 100"}),
        ("end", "consumer.log", {}),
    ]
    wires = ["in:out name", "name:out big", "big:match end"]
    flow = make.published(make.document("names", nodes, wires))
    make.append(flow, [make.event("a", data={})])
    drain(flow)
    nodes[2][2]["condition"] = "true"
    publishing.publish(flow, make.document("names", nodes, wires))
    run = _all_of(flow)
    _work_on(run)
    run.refresh_from_db()
    assert (run.state, run.ok) == ("done", 1)
    assert Trace.objects.get(run=1).type == strange[:255]
