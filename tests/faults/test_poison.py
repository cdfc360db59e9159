"""An event at which workers die ends as a dead letter, and the others go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.servers import Stack, wait_until
from tests.tasks.due import drain
from workflows.management.process import Child
from workflows.models import Cursor, DeadLetter, Flow, Redrive, Trace
from workflows.nodes.registry import node_types
from workflows.storage import accounting, cursors, redrives
from workflows.storage.deadgroups import Wanted
from workflows.tasks import crashes

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

DEADLY = '''"""Kills its process when an event tells it to."""

import os
import signal

from workflows.engine.node import Filter, Port


class Deadly(Filter):
    label, icon = "Deadly", "skull"
    outputs = (Port("out", "Every event that isn't deadly."),)

    def handle(self, event, ctx):
        if event.id.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield "out", event
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an installed package that has a deadly node type."""
    folder = tmp_path / "packages"
    told = folder / "deadly-1.0.dist-info"
    told.mkdir(parents=True)
    (folder / "deadly.py").write_text(DEADLY)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[eventflow.nodes]\ndeadly = deadly:Deadly\n")
    monkeypatch.syspath_prepend(str(folder))
    node_types.cache_clear()
    yield folder
    node_types.cache_clear()


def _flow(slug: str) -> Flow:
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("deadly", "filter.deadly", {}),
        ("end", "consumer.log", {}),
    ]
    return make.published(make.document(slug, nodes, ["in:out deadly", "deadly:out end"]))


def _is_done(stack: Stack, flow: Flow) -> bool:
    """Whether all was taken. A worker that died is started again; its lease is over by then."""
    if any(_has_died(child) for child in stack.named("worker")):
        Cursor.objects.filter(lease_until__gt=0).update(lease_until=1)
        stack.revive("worker")
    return cursors.lag_of_flow(flow.pk) == 0


def _has_died(child: Child) -> bool:
    child.poll()
    return child.pid is None


def test_an_event_that_kills_workers_is_set_aside_and_the_others_go_on(
    stack_environment: dict[str, str], package: Path, tmp_path: Path
) -> None:
    flow = _flow("poisoned")
    good = [f"e{n}" for n in range(12)]
    first, *others = good
    bodies = [make.event(one, subject=one) for one in others]
    bodies.insert(6, make.event("deadly", subject="e3"))  # with others in its partition
    make.append(flow, [make.event(first), *bodies])
    stack = Stack(tmp_path, {**stack_environment, "PYTHONPATH": str(package)})
    try:
        stack.start(workers=1, web=False)
        wait_until(lambda: _is_done(stack, flow), 120, "all events to be taken")
        make.append(flow, [make.event("after", subject="e3")])
        wait_until(lambda: _is_done(stack, flow), 20, "the next event of that key")
    finally:
        stack.close()
    states = dict(Trace.objects.values_list("event_id", "state"))
    assert states == {**dict.fromkeys([*good, "after"], "ok"), "deadly": "failed"}
    letter = DeadLetter.objects.get()
    assert (letter.event_id, letter.node, letter.failure["kind"]) == ("deadly", "in", "crash")
    assert letter.attempts == 3
    assert not Cursor.objects.filter(attempts__gt=0).exists()
    assert_balanced(flow)
    assert accounting.examine(flow.pk, 100_000).findings == []


def _has_ended(stack: Stack, run: Redrive) -> bool:
    """Whether a run over letters has come to its end, the leases of dead workers being over."""
    if any(_has_died(child) for child in stack.named("worker")):
        Redrive.objects.filter(ended_at=None).update(due_at=0)
        stack.revive("worker")
    run.refresh_from_db()
    return run.ended_at is not None


def test_a_letter_that_kills_its_redrive_stays_and_is_not_tried_by_itself(
    stack_environment: dict[str, str], package: Path, tmp_path: Path
) -> None:
    flow = _flow("poisoned")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crashes, "MOST_LEASES", 0)  # as if each had killed before
        make.append(flow, [make.event(one) for one in ("a", "deadly", "z")])
        drain(flow)
    order = redrives.Order(Wanted(flow=flow.slug))
    run = redrives.start(flow.workspace_id, "olga", order)
    stack = Stack(tmp_path, {**stack_environment, "PYTHONPATH": str(package)})
    try:
        stack.start(workers=1, web=False)
        wait_until(lambda: _has_ended(stack, run), 60, "the end of the redrive")
    finally:
        stack.close()
    assert (run.state, run.done, run.ok, run.skipped) == ("done", 2, 2, 1)
    letter = DeadLetter.objects.get(state="open")
    assert (letter.event_id, letter.failure["kind"], letter.attempts) == ("deadly", "crash", 1)
    assert accounting.examine(flow.pk, 100_000).findings == []
