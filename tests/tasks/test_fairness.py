"""Two hundred flows, one of them flooded: do the others get their turn?"""

import contextlib
import time

from celery import current_app

from tests import make
from workflows.models import Flow, Subscription, Trace
from workflows.storage import cursors
from workflows.tasks import jobs
from workflows.tasks.nudge import connection, nudge

FLOWS, FLOOD = 200, 10_000


def _work_until_idle() -> list[tuple[int, float]]:
    """What one worker does, message by message: whose drain it was, and when that had ended."""
    turns: list[tuple[int, float]] = []
    with current_app.connection_for_read() as connection:
        # As workers read it: a message waits for no ack, and doesn't come back.
        queue = connection.SimpleQueue(current_app.conf.task_default_queue, no_ack=True)
        with contextlib.suppress(queue.Empty):
            while True:
                message = queue.get_nowait()
                (subscription_id,) = message.payload[0]
                jobs.drain(subscription_id)
                turns.append((subscription_id, time.monotonic()))
        queue.close()
    return turns


def _flow(number: int) -> Flow:
    nodes = [("in", "producer.http", {}), ("end", "consumer.log", {})]
    return make.published(make.document(f"flow-{number}", nodes, ["in:out end"]))


def test_a_flooded_flow_lets_the_others_by() -> None:
    flooded, *others = [_flow(number) for number in range(FLOWS)]
    for start in range(0, FLOOD, 2_000):
        make.append(flooded, [make.event(str(n)) for n in range(start, start + 2_000)])
    for flow in others:
        make.append(flow, [make.event("one")])
    first = Subscription.objects.get(flow=flooded).pk
    rest = list(Subscription.objects.exclude(flow=flooded).values_list("pk", flat=True))
    connection().flushdb()  # what earlier tests asked for
    since = time.monotonic()
    nudge([first, *rest])
    turns = _work_until_idle()
    order = [subscription for subscription, _ in turns]
    assert order.count(first) > 1, "the flood takes several slices"
    assert order[: len(rest) + 1] == [first, *rest]  # the flood's second slice comes after them
    assert turns[len(rest)][1] - since < 5.0
    assert cursors.lag_of_flow(flooded.pk) == 0
    assert Trace.objects.filter(state="ok").count() == FLOOD + FLOWS - 1
