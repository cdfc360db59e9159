"""How long does the engine take for one event? `python -m tests.bench.engine_speed`"""

from time import perf_counter

from workflows.engine.compile import compile_flow
from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.testing import NOW, FakeSurroundings
from workflows.engine.walk import Arrival
from workflows.nodes.registry import node_types

BATCH, ROUNDS = 500, 20
FLOW = {
    "nodes": [
        {"id": "in", "type": "producer.http", "config": {}},
        {
            "id": "big",
            "type": "filter.condition",
            "config": {"condition": 'event.data.amount > 100 && event.type == "order.created"'},
        },
        {
            "id": "vat",
            "type": "filter.transform",
            "config": {"set": {"data.total": "event.data.amount * 1.2"}},
        },
        {"id": "log", "type": "consumer.log", "config": {}},
    ],
    "wires": [
        {"from": "in:out", "to": "big"},
        {"from": "big:match", "to": "vat"},
        {"from": "vat:out", "to": "log"},
    ],
}


def make_plan() -> Plan:
    """The flow of the measurement, compiled."""
    plan, problems = compile_flow(FLOW, node_types(), workspace="main", flow="bench", version=1)
    assert plan is not None, problems
    return plan


def make_batch() -> list[Arrival]:
    """Fresh events, of which every other one passes the condition."""
    return [
        Arrival(
            i,
            "in",
            Event(
                id=f"event-{i}",
                source="/bench",
                type="order.created",
                time="2026-01-01T00:00:00Z",
                accepted_at=NOW,
                data={
                    "id": i,
                    "amount": 120 if i % 2 else 60.5,
                    "customer": {"name": "Ada", "country": "CH"},
                    "items": [{"sku": "a", "count": 2}, {"sku": "b", "count": 1}],
                },
            ),
        )
        for i in range(BATCH)
    ]


def main() -> None:
    """Print microseconds an event: the best and the median batch."""
    plan, surroundings = make_plan(), FakeSurroundings()
    taken = []
    for _ in range(ROUNDS):
        batch = make_batch()
        started = perf_counter()
        run(plan, surroundings, arrivals=batch)
        taken.append((perf_counter() - started) / BATCH * 1e6)
    taken.sort()
    print(f"{taken[0]:.1f} µs an event at best, {taken[len(taken) // 2]:.1f} in the middle")


if __name__ == "__main__":
    main()
