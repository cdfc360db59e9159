"""What tests of replays need again and again: a flow that has run, and a replay that is played."""

from tests import make
from tests.accounting import assert_balanced
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import Flow, Replay, Subscription, Trace
from workflows.storage import accounting, runs
from workflows.tasks import jobs
from workflows.tasks.drain import drain_slice
from workflows.tasks.replay import replay_slice


def http(sink: Sink, **config: object) -> make.Node:
    return ("call", "consumer.http", {"url": f"{sink.url}/orders", **config})


def drain(flow: Flow) -> None:
    for one in Subscription.objects.filter(flow=flow):
        while drain_slice(one.pk):
            pass


def play(replay: Replay) -> Replay:
    """Work on a replay until it has taken its last event."""
    for _ in range(200):
        Replay.objects.update(due_at=0, moved_at=0)  # its pauses are over
        while replay_slice(replay.pk):
            pass
        replay.refresh_from_db()
        if replay.ended_at is not None:
            return replay
    raise AssertionError(f"it doesn't come to its end: {replay.state}, {replay.error}")


def settled(flow: Flow) -> bool:
    jobs.tick()
    return not Trace.objects.filter(flow=flow, state="running").exists()


def taken(replay: Replay) -> list[tuple[int, int]]:
    run = runs.number(replay.mode, replay.pk)
    return sorted(Trace.objects.filter(run=run).values_list("partition", "offset"))


def flow_with(sink: Sink, count: int = 5, **config: object) -> Flow:
    flow = make.published(make.order_document(consumer=http(sink, **config)))
    make.append(flow, [make.event(f"e{i}", 101 + i) for i in range(count)])
    drain(flow)
    sink.wait_for(count)
    wait_until(lambda: settled(flow))
    return flow


def even(flow: Flow) -> None:
    assert_balanced(flow)
    assert accounting.examine(flow.pk, 100_000).findings == []
