"""What retention lets go, and whose events it keeps however old they are."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests import make
from tests.sending import send
from workflows.models import Channel, DeadLetter, Event, Flow, Head, Held, Subscription, Trace
from workflows.storage import channels, flows, retention
from workflows.tasks.drain import drain_slice

OLD = 1_000.0  # Unix seconds: long ago


def _flow(*middle: make.Node, slug: str = "reader") -> Flow:
    channels.create(make.workspace().pk, "shared", partitions=1)
    nodes = [("in", "producer.channel", {"channel": "shared"}), *middle]
    wires = [
        f"{one}:{'match' if one == 'big' else 'out'} {two}"
        for (one, *_), (two, *_) in pairwise(nodes)
    ]
    return make.published(make.document(slug, nodes, wires))


END: make.Node = ("end", "consumer.log", {})


def _taken(flow: Flow, count: int = 5) -> None:
    """That many old events, all taken by the flow."""
    send("shared", [make.event(str(n)) for n in range(count)])
    Event.objects.update(accepted_at=OLD)
    while drain_slice(Subscription.objects.get(flow=flow).pk):
        pass


def _left() -> list[str]:
    return list(Event.objects.order_by("offset").values_list("event_id", flat=True))


def test_old_events_go_with_their_traces_and_offsets_stay() -> None:
    flow = _flow(END)
    _taken(flow)
    send("shared", [make.event("new")])
    while drain_slice(Subscription.objects.get(flow=flow).pk):
        pass
    assert retention.prune() == 5
    assert _left() == ["new"]
    assert list(Trace.objects.values_list("event_id", flat=True)) == ["new"]
    assert (Head.objects.get().tail, Head.objects.get().head) == (5, 6)


def test_a_channel_keeps_its_events_for_the_days_that_it_says() -> None:
    flow = _flow(END)
    _taken(flow)
    Channel.objects.update(retention_days=365 * 100)
    assert retention.prune() == 0


def test_unread_events_stay_also_those_of_a_paused_flow() -> None:
    _taken(_flow(END))
    paused = _flow(END, slug="paused")
    flows.set_paused(paused, True)
    send("shared", [make.event("unread")])
    Event.objects.update(accepted_at=OLD)
    retention.prune()
    assert _left() == ["unread"]


def _hold(flow: Flow) -> None:
    Held.objects.filter(offset__lt=2).delete()
    Held.objects.filter(offset__gt=2).delete()


def _dead(flow: Flow) -> None:
    DeadLetter.objects.exclude(offset=2).update(state="discarded")


NEEDED: list[tuple[make.Node, Callable[[Flow], None]]] = [
    (("wait", "filter.delay", {"seconds": 3_600}), _hold),
    (("big", "filter.condition", {"condition": "event.data.none > 1"}), _dead),
]


@pytest.mark.parametrize(("node", "keep_one"), NEEDED, ids=["held", "dead letter"])
def test_what_waits_or_died_keeps_its_event_and_all_after_it(
    node: make.Node, keep_one: Callable[[Flow], None]
) -> None:
    flow = _flow(node, END)
    _taken(flow)
    keep_one(flow)
    assert retention.prune() == 2
    assert _left() == ["2", "3", "4"]


def test_what_the_world_has_still_to_answer_keeps_its_event() -> None:
    call = ("call", "consumer.http", {"url": "http://127.0.0.1:9/"})
    flow = _flow(call)
    _taken(flow, 3)
    assert retention.prune() == 0
    assert _left() == ["0", "1", "2"]
