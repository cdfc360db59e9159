"""What do a drain's batch and its traces cost the worker process? And a hop of the engine?"""

import itertools
import json
import time
from typing import Any

from tests import make
from tests.bench.load import order
from tests.bench.parts import Costs, rounds_of
from tests.bench.stopwatch import Stopwatch
from workflows.engine.compile import compile_flow
from workflows.engine.event import Event
from workflows.engine.run import run
from workflows.engine.walk import Arrival
from workflows.models import Subscription
from workflows.nodes.registry import node_types
from workflows.storage import backpressure, cursors, stored
from workflows.tasks import drain, nudge
from workflows.tasks.context import Surroundings

_STAMP = "2026-01-01T00:00:00Z"


class Events:
    """Orders without end, half of them over 100; or all."""

    def __init__(self, prefix: str, *, all_pass: bool = False) -> None:
        self._body, self._numbers = order(prefix), itertools.count(1)
        self._step = 2 if all_pass else 1

    def take(self, n: int) -> list[dict[str, Any]]:
        numbers = (next(self._numbers) for _ in range(n))
        if self._step == 2:
            numbers = (2 * number + 1 for number in numbers)
        return [self._complete(number) for number in numbers]

    def _complete(self, number: int) -> dict[str, Any]:
        return {"specversion": "1.0", **json.loads(self._body(number, _STAMP))}


class Drained:
    """A flow whose events lie in the log when the drain comes, over all eight partitions."""

    def __init__(self, document: dict[str, Any], events: Events) -> None:
        self._flow = make.published(document)
        self._subscription_id = Subscription.objects.values_list("pk", flat=True).get(
            flow=self._flow
        )
        self._events = events

    def drain(self, group: int) -> None:
        """Append a group of events, and drain them."""
        make.append(self._flow, self._events.take(group))
        drain.drain_slice(self._subscription_id)


class Measure:
    """Groups of orders, each group drained by itself."""

    def __init__(self) -> None:
        self._drained = Drained(make.order_document("drained"), Events("w"))

    def __call__(self, group: int) -> Costs:
        rounds = rounds_of(group)
        with Stopwatch(detailed=("commit",)) as watch:
            time_drain(watch)
            for _ in range(rounds):
                self._drained.drain(group)
        return {name: seconds / (rounds * group) * 1e6 for name, seconds in watch.seconds.items()}


def time_drain(watch: Stopwatch) -> None:
    """Have a drain timed, and its parts."""
    watch.around(drain, "drain_slice", "the rest of the drain")
    watch.around(cursors, "unread", "find what is unread")
    watch.around(drain, "load_plan", "the plan and its limits")
    watch.around(backpressure, "room", "the plan and its limits")
    watch.around(stored, "read", "read the events")
    watch.around(drain, "event_of", "parse the events")
    watch.around(drain, "run", "engine")
    watch.around(drain, "first_commit", "recorder: traces and counts as rows")
    watch.around(drain, "commit", "commit")
    watch.around(drain, "announce", "tell the live room")
    watch.around(nudge, "clear", "let nudges through again")


class Hops:
    """The same walk with one node more each time; the difference is that node's hop."""

    _PLANS = (
        ("producer", ("in",)),
        ("condition", ("in", "big")),
        ("transform (half of the events)", ("in", "big", "vat")),
        ("consumer (half of the events)", ("in", "big", "vat", "end")),
    )

    def __init__(self) -> None:
        flow = make.published(make.order_document("hops"))
        self._surroundings = Surroundings(flow.pk)
        self._events = Events("h")
        whole = make.order_document("hops")
        self._plans = []
        for name, nodes in self._PLANS:
            some = {
                **whole,
                "nodes": [node for node in whole["nodes"] if node["id"] in nodes],
                "wires": [one for one in whole["wires"] if one["to"] in nodes],
            }
            plan, problems = compile_flow(
                some, node_types(), workspace="main", flow="hops", version=1
            )
            assert plan is not None, problems
            self._plans.append((name, plan))

    def __call__(self, group: int) -> Costs:
        rounds = rounds_of(group)
        taken = [0.0] * len(self._plans)
        for _ in range(rounds):
            events = [Event.from_dict(one, time.time()) for one in self._events.take(group)]
            for i, (_, plan) in enumerate(self._plans):
                arrivals = [Arrival(n, "in", event) for n, event in enumerate(events)]
                begun = time.thread_time()
                run(plan, self._surroundings, arrivals=arrivals)
                taken[i] += time.thread_time() - begun
        each = [seconds / (rounds * group) * 1e6 for seconds in taken]
        steps = [each[0], *(after - before for before, after in itertools.pairwise(each))]
        return {name: cost for (name, _), cost in zip(self._plans, steps, strict=True)}
