"""kill -9, at any moment: nothing accepted is lost, and repeats stay within what was in flight."""

import signal
import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from django.db import connection

from tests import make, servers
from tests.accounting import assert_balanced
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.management import children
from workflows.models import Effect, Event, Flow, Trace
from workflows.storage import cursors, sql
from workflows.tasks.performer import LIMIT

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

EVENTS = 2_000


def _flow(sink: Sink) -> Flow:
    consumer = ("call", "consumer.http", {"url": f"{sink.url}/orders", "timeout_seconds": 2})
    return make.published(make.order_document(consumer=consumer))


class Senders:
    """Post `EVENTS` events from a few threads; each id is kept once its 202 has come."""

    def __init__(self, stack: Stack) -> None:
        self.accepted: list[str] = []
        self._url = f"{stack.base_url}/api/v1/flows/orders/trigger"
        self._token = make.token(None, "events:write")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._send, range(EVENTS)))

    def _send(self, i: int) -> None:
        event_id = f"e{i}"
        # Every other event passes the filter; a refused or broken request is sent again.
        event = {"id": event_id, "data": {"amount": 150 if i % 2 else 50}}
        while True:
            try:
                status, _ = make.post(self._url, event, self._token)
            except (OSError, HTTPException):  # the web process died, maybe in mid-answer
                continue
            if status == 202:
                self.accepted.append(event_id)
                return

    def finish(self) -> list[str]:
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.accepted


def _all_done(flow: Flow) -> bool:
    return (
        cursors.lag_of_flow(flow.pk) == 0
        and not Trace.objects.filter(flow=flow, state="running").exists()
    )


def _check(flow: Flow, accepted: list[str], sink: Sink, deaths: int) -> None:
    traced = list(Trace.objects.filter(flow=flow).values_list("event_id", flat=True))
    assert sorted(traced) == sorted(accepted), "every accepted event has one trace"
    expected = {event_id for event_id in accepted if int(event_id[1:]) % 2}
    calls = Tally(sink.ids())
    assert set(calls) == expected, "every expected call happened, and no other"
    keys: dict[str, set[str]] = {}
    for call in sink.calls:
        keys.setdefault(call.json["id"], set()).add(call.key)
    assert all(len(found) == 1 for found in keys.values()), "repeats carry the same key"
    repeats = sum(calls.values()) - len(calls)
    assert repeats <= LIMIT * deaths, f"{repeats} repeats"
    assert not Effect.objects.exists()
    assert_balanced(flow)


def test_killing_the_worker_and_the_web_process_loses_nothing(stack: Stack, sink: Sink) -> None:
    flow = _flow(sink)
    stack.start(workers=1)
    senders = Senders(stack)
    wait_until(lambda: Event.objects.count() > EVENTS // 4, 60)
    stack.kill("worker")
    wait_until(lambda: Event.objects.count() > EVENTS // 2, 60)
    stack.kill("web")
    stack.revive("worker")
    stack.revive("web")
    accepted = senders.finish()
    assert len(accepted) == EVENTS
    wait_until(lambda: _all_done(flow), 60, "all traces to be done")
    _check(flow, accepted, sink, deaths=1)


def _stop_between_writes(stack: Stack) -> None:
    """SIGSTOP the first worker. One that is stopped while it writes to SQLite stops all writers
    of that file, whatever anybody does: then let it go on for a moment, and stop it again."""
    for _ in range(50):
        stack.kill("worker 1", signal.SIGSTOP)
        writer = threading.Thread(target=_write_nothing)
        writer.start()
        writer.join(1.0)
        if not writer.is_alive():
            return
        stack.kill("worker 1", signal.SIGCONT)
        writer.join()
    raise AssertionError("the worker writes all the time")


def _write_nothing() -> None:
    """A write transaction of this process, which has to wait for its turn like any other."""
    sql.execute("UPDATE workflows_flow SET paused = paused WHERE id = -1")
    connection.close()


def test_a_stopped_worker_that_comes_back_after_its_lease_does_no_harm(
    stack: Stack, sink: Sink
) -> None:
    flow = _flow(sink)
    stack.start(workers=2)
    senders = Senders(stack)
    wait_until(lambda: Event.objects.count() > EVENTS // 4, 60)
    _stop_between_writes(stack)
    accepted = senders.finish()
    wait_until(lambda: cursors.lag_of_flow(flow.pk) == 0, 60, "the other worker to take over")
    wait_until(lambda: _all_done(flow), 60, "all traces to be done")
    stack.kill("worker 1", signal.SIGCONT)
    wait_until(lambda: not Effect.objects.exists(), 20)
    _check(flow, accepted, sink, deaths=1)


def test_killing_valkey_in_mid_run_loses_nothing(
    transactional_db: None, sink: Sink, tmp_path: Path
) -> None:
    from tests.conftest import database_url

    home = tmp_path / "v"
    home.mkdir()
    flow = _flow(sink)
    with servers.running_valkey(home) as url:
        stack = Stack(tmp_path, children.environment(home, url, DATABASE_URL=database_url()))
        try:
            stack.start(workers=1)
            senders = Senders(stack)
            wait_until(lambda: Event.objects.count() > EVENTS // 4, 60)
            servers.kill_valkey(home)
            accepted = senders.finish()  # the doors don't need Valkey
            with servers.running_valkey(home):
                wait_until(lambda: cursors.lag_of_flow(flow.pk) == 0, 2.0, "no lag, 2 s after")
                wait_until(lambda: _all_done(flow), 30, "all traces to be done")
                _check(flow, accepted, sink, deaths=0)
        finally:
            stack.close()
