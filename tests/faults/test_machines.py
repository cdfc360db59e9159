"""Two machines with a home, a web process and workers each, on one PostgreSQL and one Redis."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from django.conf import settings

from tests.faults.load import EVENTS, Senders, all_done, check, flow_to
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Event, Trace

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def machines(stack_environment: Mapping[str, str], tmp_path: Path) -> Iterator[tuple[Stack, Stack]]:
    stacks = []
    for name in ("one", "two"):
        home = tmp_path / name
        home.mkdir()
        own = {"EVENTFLOW_HOME": str(home), "SECRET_KEY": settings.SECRET_KEY}
        stacks.append(Stack(home, {**stack_environment, **own}))
    yield stacks[0], stacks[1]
    for stack in stacks:
        stack.close()


@pytest.mark.parametrize("dies", [0, 1])
def test_either_half_may_die_and_nothing_is_lost(
    machines: tuple[Stack, Stack], sink: Sink, dies: int
) -> None:
    flow = flow_to(sink)
    machines[0].start(workers=1)
    machines[1].start(workers=2)
    senders = Senders(*(machine.base_url for machine in machines))
    wait_until(lambda: Event.objects.count() > EVENTS // 2, 60)
    wait_until(lambda: Trace.objects.exists(), 10, "work")
    for name in ("web", "worker", "timers"):
        machines[dies].kill(name)
    accepted = senders.finish()
    assert len(accepted) == EVENTS
    wait_until(lambda: all_done(flow), 60, "the other half to finish everything")
    check(flow, accepted, sink, deaths=2 if dies else 1)
