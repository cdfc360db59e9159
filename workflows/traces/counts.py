"""What does a run add to the counters of its nodes? Pure.

The names: "arrived"; an outcome; "out:<port>" for emissions; "in:wire" for what the wires carried
to a node; "in:again" for what repeated runs began with. Those with a colon are for the accounting.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from workflows.engine.plan import Plan
from workflows.engine.walk import Walk
from workflows.storage.parts import TraceRef

FINAL = frozenset(("passed", "filtered", "deduplicated", "batched", "expired", "delivered", "dead"))

Counts = dict[tuple[str, int, str], int]  # (node, partition, name) -> how many


def count(plan: Plan, partitions: Sequence[int], walk: Walk) -> Counts:
    """The counts of a walk; `partitions` tells in which one each root lies."""
    counts: defaultdict[tuple[str, int, str], int] = defaultdict(int)
    arrived = Counter([(node, partitions[index]) for index, node in walk.arrived])
    for (node, partition), n in arrived.items():
        counts[node, partition, "arrived"] = n
    alike = Counter(
        [(one.node, partitions[one.root], one.outcome, one.ports) for one in walk.steps]
    )
    for (node, partition, outcome, ports), n in alike.items():
        if outcome in FINAL:
            counts[node, partition, outcome] += n
        for port in ports:
            counts[node, partition, f"out:{port}"] += n
    for (target, partition), n in _carried(plan, counts).items():
        counts[target, partition, "in:wire"] = n
    return counts


def add_repeated(counts: Counts, refs: Sequence[TraceRef], walk: Walk) -> None:
    """Count the arrivals with which repeated runs began: they come neither from the log nor by a
    wire. `refs` has the trace of each root."""
    for index, node in walk.arrived[: len(refs)]:  # each run's first arrival precedes the others
        if refs[index].run:
            where = (node, refs[index].partition, "in:again")
            counts[where] = counts.get(where, 0) + 1


def _carried(plan: Plan, counts: Counts) -> dict[tuple[str, int], int]:
    """What the wires of this very version carried: the next one may be wired differently."""
    carried: defaultdict[tuple[str, int], int] = defaultdict(int)
    for (source, partition, name), n in counts.items():
        if name.startswith("out:"):
            for target in plan.nodes[source].targets.get(name[4:], ()):
                carried[target, partition] += n
    return carried
