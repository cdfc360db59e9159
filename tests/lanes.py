"""What waits, without anybody outside being called."""

from tests import make
from workflows.models import Effect, Flow


def delaying(slug: str = "orders") -> Flow:
    """Each event is held for ten minutes, and then logged."""
    nodes: list[make.Node] = [
        ("in", "producer.http", {"key": "event.data.who"}),
        ("wait", "filter.delay", {"seconds": 600}),
        ("end", "consumer.log", {}),
    ]
    body = make.document(slug, nodes, ["in:out wait", "wait:out end"])
    return make.published({**body, "settings": {"ordering": "key"}})


def append(flow: Flow, *ids: str) -> None:
    """Events whose key is their id's first letter."""
    bodies = [make.event(one, data={"who": one[0]}, partitionkey=one[0]) for one in ids]
    make.append(flow, bodies)


def waiting_for(flow: Flow, destination: str, count: int, due_at: float = 1e12) -> None:
    """Calls that are parked for a destination."""
    first = Effect.objects.count() + 1_000
    assert flow.published is not None
    Effect.objects.bulk_create(
        Effect(
            flow=flow,
            number=number,
            version=flow.published,
            node="end",
            subscription_id=1,
            partition=0,
            offset=number,
            path=0,
            destination=destination,
            key="k",
            request=b"{}",
            timeout_seconds=10,
            due_at=due_at,
        )
        for number in range(first, first + count)
    )
