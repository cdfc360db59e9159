"""Promise 2, checked over a whole database: every arrival is accounted for."""

from collections import Counter as Tally

from workflows.models import Counter, Effect, Flow, Held, Trace
from workflows.storage.plans import load_plan

_FINAL = ("passed", "filtered", "deduplicated", "batched", "expired", "delivered", "dead")


def assert_balanced(flow: Flow) -> None:
    """For every node: arrivals = outcomes + parked rows, and arrivals = emissions on its wires."""
    counts: dict[tuple[str, str], int] = Tally()
    for row in Counter.objects.filter(flow=flow):
        counts[row.node, row.name] += row.n
    parked = Tally(Effect.objects.filter(flow=flow).values_list("node", flat=True))
    parked.update(Held.objects.filter(flow=flow).values_list("node", flat=True))
    assert flow.published_id is not None
    plan = load_plan(flow.published_id)
    for node_id in plan.nodes:
        arrived = counts[node_id, "arrived"]
        outcomes = sum(counts[node_id, name] for name in _FINAL)
        assert arrived == outcomes + parked[node_id], (node_id, arrived, outcomes, parked[node_id])
        if node_id not in plan.producers:
            emitted = sum(
                counts[wire.source, f"out:{wire.port}"]
                for wire in plan.wires
                if wire.target == node_id
            )
            assert arrived == emitted, (node_id, arrived, emitted)
    for trace in Trace.objects.filter(flow=flow):
        assert (trace.open > 0) == (trace.state == "running"), trace.pk
