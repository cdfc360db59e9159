"""A clean stop (SIGTERM, as at each deployment) loses nothing and repeats nothing."""

import signal

import pytest

from tests.faults.load import EVENTS, Senders, all_done, check, flow_to
from tests.servers import Stack, wait_until
from tests.sink import Sink
from workflows.models import Event

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_a_restart_with_messages_in_flight_makes_no_call_twice(stack: Stack, sink: Sink) -> None:
    flow = flow_to(sink)
    stack.start(workers=1)
    senders = Senders(stack.base_url)
    for share in (4, 2):
        wait_until(lambda share=share: Event.objects.count() > EVENTS // share, 60)
        for name in ("worker", "web"):
            stack.kill(name, signal.SIGTERM)
            stack.revive(name)
    accepted = senders.finish()
    assert len(accepted) == EVENTS
    wait_until(lambda: all_done(flow), 60, "all traces to be done")
    check(flow, accepted, sink, deaths=0)
