"""The live cursor: rows come in commit order, however writers overlap."""

import threading
import time

import orjson
import pytest
from django.db import connection

from tests import make
from workflows.live import frames
from workflows.models import Flow, Subscription, Trace
from workflows.storage import traces
from workflows.storage.commit import commit
from workflows.storage.parts import FlowCommit, NewTrace, TraceChange, TraceRef

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = orjson.dumps({"at": 1.0, "steps": [{"n": "in", "o": "passed", "t": 1}]})


def _new(flow: Flow, offset: int, opened: int = 0) -> NewTrace:
    subscription = Subscription.objects.get(flow=flow)
    return NewTrace(
        ref=TraceRef(subscription.pk, 0, offset),
        version=1,
        state="running" if opened else "ok",
        open=opened,
        delivered=0 if opened else 1,
        dead=0,
        type="T",
        key="k",
        event_id=str(offset),
        accepted_at=1.0,
        taken_at=1.0,
        ended_at=None if opened else 1.0,
        error="",
        steps=STEPS,
    )


def _write(flow: Flow, *offsets: int, opened: int = 0) -> None:
    part = FlowCommit(flow_id=flow.pk, traces=[_new(flow, offset, opened) for offset in offsets])
    commit([part], "test", time.time())


def test_a_reader_that_follows_two_interleaved_writers_misses_nothing() -> None:
    """A number taken early and committed late would be passed over by a reader that has seen a
    later one. Numbers are given in commit order, so this reader must see every trace."""
    flow = make.published(make.order_document())
    done = threading.Event()
    seen: dict[str, int] = {}

    def write(writer: int) -> None:
        for i in range(60):
            first = writer * 1000 + i * 3
            _write(flow, first, first + 1, first + 2)
        connection.close()

    def follow() -> None:
        since, last = 0, False
        while True:
            until = traces.newest_change(flow.pk)
            rows, skipped = traces.changed(flow.pk, since, until, 1000)
            assert skipped == 0
            for row in rows:
                assert row.event_id not in seen, "seen twice"
                seen[row.event_id] = row.change
            since = until
            if last:
                connection.close()
                return
            last = done.is_set()

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    reader.join(60)
    assert len(seen) == Trace.objects.count() == 360


def test_a_later_commit_makes_an_old_trace_change_again() -> None:
    flow = make.published(make.order_document())
    _write(flow, 1, opened=1)
    since = traces.newest_change(flow.pk)
    change = TraceChange(
        ref=_new(flow, 1).ref,
        open=-1,
        delivered=1,
        dead=0,
        ended_at=2.0,
        error="",
        steps=orjson.dumps({"at": 2.0, "steps": [{"n": "end", "o": "delivered", "t": 1}]}),
    )
    commit([FlowCommit(flow_id=flow.pk, changes=[change])], "test", time.time())
    rows, _ = traces.changed(flow.pk, since, traces.newest_change(flow.pk), 10)
    assert [(row.event_id, row.state, row.path) for row in rows] == [("1", "ok", ("in", "end"))]


def test_two_branches_that_finish_in_one_batch_are_both_counted() -> None:
    flow = make.published(make.order_document())
    _write(flow, 1, opened=2)
    changes = [
        TraceChange(_new(flow, 1).ref, -1, 1, 0, 2.0, "", STEPS),
        TraceChange(_new(flow, 1).ref, -1, 0, 1, 3.0, "no", STEPS),
    ]
    commit([FlowCommit(flow_id=flow.pk, changes=changes)], "test", time.time())
    trace = Trace.objects.get()
    assert (trace.open, trace.delivered, trace.dead) == (0, 1, 1)
    assert (trace.state, trace.error) == ("failed", "no")
    assert len(traces.segments(TraceRef(*_new(flow, 1).ref))) == 3


def test_a_frame_says_how_many_rows_it_does_not_show() -> None:
    flow = make.published(make.order_document())
    _write(flow, *range(frames.ROWS + 25))
    _, raw = frames.update(flow.pk, 0)
    frame = orjson.loads(raw)
    assert len(frame["rows"]) == frames.ROWS
    assert frame["skipped"] == 25
    _, raw = frames.snapshot(flow.pk, 0)
    assert len(orjson.loads(raw)["rows"]) == frames.ROWS
