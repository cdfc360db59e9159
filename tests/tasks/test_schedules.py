"""A schedule goes on whatever happens: no moment is lost, and none counts twice."""

import contextlib
import threading
import time

import pytest
from django.db import connection

from tests import make
from tests.tasks.due import drain, fire_all
from tests.tasks.killing import Killed, kill_at
from workflows.models import Event, Flow, Timer, Trace
from workflows.storage import publishing
from workflows.tasks import clock

MINUTE = 60.0


def _document(slug: str, node: str = "in") -> dict[str, object]:
    schedule = (node, "producer.schedule", {"every_seconds": MINUTE, "missed": "all"})
    return make.document(slug, [schedule, ("end", "consumer.log", {})], [f"{node}:out end"])


def _let_wait(flow: Flow, minutes: int = 4) -> set[str]:
    """Let the flow's timers wait for some minutes; the ids of what they must make."""
    since = time.time() // MINUTE * MINUTE - minutes * MINUTE
    timers = Timer.objects.filter(subscription__flow=flow)
    timers.update(due_at=since)
    active = timers.filter(subscription__state="active")
    return {
        f"{flow.workspace_id}/{flow.slug}/{node}/{since + n * MINUTE:.3f}"
        for node in active.values_list("subscription__node", flat=True)
        for n in range(minutes + 1)
    }


def _made(flow: Flow) -> list[str]:
    return list(
        Event.objects.filter(event_id__contains=f"/{flow.slug}/").values_list("event_id", flat=True)
    )


def _is_what_was_due(found: list[str], due: set[str]) -> bool:
    """One more may be due by now: the test may run across a full minute."""
    return len(found) == len(set(found)) and due <= set(found) and len(found) <= len(due) + 1


def test_a_worker_that_dies_in_mid_tick_stops_no_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    nth, was_killed = 0, True
    while was_killed:
        nth += 1
        flow = make.published(_document(f"often{nth}"))
        due = _let_wait(flow)
        with monkeypatch.context() as patched:
            seen = kill_at(patched, nth)
            with contextlib.suppress(Killed):
                fire_all()
            was_killed = seen[0] >= nth
        fire_all()
        assert _is_what_was_due(_made(flow), due), nth
        assert Timer.objects.get(subscription__flow=flow).due_at > time.time()
    assert nth > 5


def test_two_workers_that_tick_at_once_fire_each_moment_once() -> None:
    flow = make.published(_document("often"))
    due = _let_wait(flow, 30)
    together = threading.Barrier(2)

    def worker() -> None:
        together.wait()
        while clock.tick():
            pass
        connection.close()

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    fire_all()
    assert _is_what_was_due(_made(flow), due)
    drain(flow)
    assert Trace.objects.filter(flow=flow, state="ok").count() == len(_made(flow))


@pytest.mark.parametrize("node", ["in", "renamed"])
def test_an_older_version_does_not_fire_too(node: str) -> None:
    flow = make.published(_document("often"))
    publishing.publish(flow, _document("often", node))
    publishing.publish(flow, _document("often", node))
    due = _let_wait(flow)
    fire_all()
    drain(flow)
    assert _is_what_was_due(_made(flow), due)
    assert all(f"/often/{node}/" in name for name in _made(flow))
    assert Trace.objects.filter(flow=flow).count() == len(_made(flow))
