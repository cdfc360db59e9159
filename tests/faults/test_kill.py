"""kill -9, at any moment: nothing accepted is lost, and repeats stay within what was in flight."""

import signal
from pathlib import Path

import pytest
from django.db import transaction

from tests import make, servers
from tests.faults.load import EVENTS, Senders, all_done, check, check_order, flow_to
from tests.faults.stopping import stop_between_writes
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.management import children
from workflows.models import Effect, Event, Trace
from workflows.storage import cursors, sql

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_killing_the_worker_and_the_web_process_loses_nothing(stack: Stack, sink: Sink) -> None:
    flow = flow_to(sink)
    stack.start(workers=1)
    senders = Senders(stack.base_url)
    wait_until(lambda: Event.objects.count() > EVENTS // 4, 60)
    stack.kill("worker")
    wait_until(lambda: Event.objects.count() > EVENTS // 2, 60)
    stack.kill("web")
    stack.revive("worker")
    stack.revive("web")
    accepted = senders.finish()
    assert len(accepted) == EVENTS
    wait_until(lambda: all_done(flow), 60, "all traces to be done")
    check(flow, accepted, sink, deaths=1)


_WAITS_FOR_A_TABLE = """
    SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'workflows_trace'::regclass
"""
_IN_MID_TRANSACTION = """
    SELECT 1 FROM pg_stat_activity
    WHERE pid = %s AND state = 'idle in transaction' AND backend_xid IS NOT NULL
"""


def _stop_in_mid_transaction(stack: Stack, name: str) -> None:
    """SIGSTOP a worker at the worst moment that PostgreSQL knows: it has written, holds locks, and
    is waited for. Only workers write traces: it is kept from that until it is stopped."""
    with transaction.atomic():
        sql.execute("LOCK TABLE workflows_trace IN SHARE MODE")
        wait_until(lambda: sql.fetch(_WAITS_FOR_A_TABLE), 30, "the worker to write")
        stack.kill(name, signal.SIGSTOP)
        [(pid,)] = sql.fetch(_WAITS_FOR_A_TABLE)
    wait_until(lambda: sql.fetch(_IN_MID_TRANSACTION, [pid]), 10, "its statement to be done")


@pytest.mark.parametrize("ordering", ["none", "key"])
def test_a_stopped_worker_that_comes_back_after_its_lease_does_no_harm(
    stack: Stack, sink: Sink, ordering: str
) -> None:
    flow = flow_to(sink, ordering)
    stack.start(workers=2)
    stack.kill("worker 2", signal.SIGSTOP)  # the first one shall have all the work
    senders = Senders(stack.base_url)
    wait_until(lambda: Trace.objects.exists(), 60, "work")
    stop = _stop_in_mid_transaction if sql.is_postgres() else stop_between_writes
    stop(stack, "worker 1")
    stack.kill("worker 2", signal.SIGCONT)
    accepted = senders.finish()
    wait_until(lambda: cursors.lag_of_flow(flow.pk) == 0, 60, "the other worker to take over")
    wait_until(lambda: all_done(flow), 60, "all traces to be done")
    stack.kill("worker 1", signal.SIGCONT)
    wait_until(lambda: not Effect.objects.exists(), 20)
    check(flow, accepted, sink, deaths=1)
    if ordering == "key":
        check_order(sink)


def test_killing_valkey_in_mid_run_loses_nothing(
    transactional_db: None, sink: Sink, tmp_path: Path
) -> None:
    from tests.conftest import database_url

    home = tmp_path / "v"
    home.mkdir()
    flow = flow_to(sink)
    with servers.running_valkey(home) as url:
        stack = Stack(tmp_path, children.environment(home, url, DATABASE_URL=database_url()))
        try:
            stack.start(workers=1)
            make.wait_for_worker()
            senders = Senders(stack.base_url, numbers=range(400))
            wait_until(lambda: Trace.objects.filter(flow=flow).exists(), 60, "work")
            servers.kill_valkey(home)
            wait_until(lambda: "Connection to broker lost" in stack.output, 10, "the worker's word")
            accepted = senders.finish()  # the doors don't need Valkey
            accepted += Senders(stack.base_url, numbers=range(400, 600)).finish()
            assert cursors.lag_of_flow(flow.pk) > 0, "nothing waits for its return"
            with servers.running_valkey(home):
                wait_until(lambda: cursors.lag_of_flow(flow.pk) == 0, 2.0, "no lag, 2 s after")
                wait_until(lambda: all_done(flow), 30, "all traces to be done")
                check(flow, accepted, sink, deaths=0)
        finally:
            stack.close()
