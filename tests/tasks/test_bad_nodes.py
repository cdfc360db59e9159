"""One bad node harms its own events alone: other events, other flows and the worker go on."""

import time
from itertools import pairwise

import pytest

from tests import make
from tests.accounting import assert_balanced
from workflows.models import DeadLetter, Flow, Subscription, Trace
from workflows.tasks.drain import drain_slice


def _drain(flow: Flow) -> None:
    for one in Subscription.objects.filter(flow=flow):
        while drain_slice(one.pk):
            pass


def _flow(slug: str, *middle: make.Node) -> Flow:
    nodes = [("in", "producer.http", {}), *middle, ("end", "consumer.log", {})]
    wires = [
        f"{one[0]}:{'match' if 'condition' in one[1] else 'out'} {two[0]}"
        for one, two in pairwise(nodes)
    ]
    return make.published(make.document(slug, nodes, wires))


LOOPS = "event.data.list.all(a, event.data.list.all(b, event.data.list.all(c, a + b + c >= 0)))"
BAD: dict[str, make.Node] = {
    "raises": ("bad", "filter.condition", {"condition": "event.data.missing > 1"}),
    "loops and loops": ("bad", "filter.condition", {"condition": LOOPS}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_node_takes_nothing_else_along(name: str) -> None:
    bad, good = _flow("bad", BAD[name]), _flow("good")
    poison, sound = {"list": list(range(400))}, {"list": [], "missing": 2}
    make.append(bad, [make.event("a", data=poison), make.event("b", data=sound)])
    make.append(good, [make.event("c")])
    begun = time.monotonic()
    _drain(bad)
    _drain(good)
    assert time.monotonic() - begun < 5
    states = dict(Trace.objects.values_list("event_id", "state"))
    assert states == {"a": "failed", "b": "ok", "c": "ok"}
    assert DeadLetter.objects.get().event_id == "a"
    assert_balanced(bad)
