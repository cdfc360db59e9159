"""Does everything that was accepted add up? One flow's figures, read in one moment and compared.

For every node and partition: arrivals = outcomes + what is parked, and arrivals = what the wires
carried, repeated runs began with and cursors took. For every cursor: each offset that it took has a
trace. `workflows.storage.alarms` keeps what comes of it.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from workflows.storage import gaps, sql
from workflows.storage.gaps import Look, Lost

_TOLD = 3  # partitions or gaps that a sentence names


class Finding(NamedTuple):
    """That a node doesn't come out even. `difference`: how many arrivals it is about."""

    node: str
    kind: str  # outcomes, arrivals, traces
    difference: int
    says: str


class Result(NamedTuple):
    """What one look at a flow found."""

    flow_id: int
    change: int  # the flow's change number at that moment
    findings: list[Finding]
    looks: list[Look]


Where = tuple[str, int]  # node, partition
Counters = Mapping[Where, Mapping[str, int]]  # -> name -> how many


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """All that is read within is of one moment. Keeps nobody from writing. Not for transactions."""
    level = " ISOLATION LEVEL REPEATABLE READ, READ ONLY" if sql.is_postgres() else ""
    sql.execute(f"BEGIN{level}")  # on SQLite it takes no lock, and lasts from the first query on
    try:
        yield
    finally:
        sql.execute("ROLLBACK")


def examine(flow_id: int, budget: int) -> Result:
    """Compare all that a flow's counters, parked rows, cursors and traces say at this moment.

    At most `budget` traces that weren't checked before are looked at.
    """
    with snapshot():
        change = sql.fetch("SELECT change FROM workflows_flowclock WHERE flow_id = %s", (flow_id,))
        counters, parked = _counters(flow_id), _parked(flow_id)
        cursors = gaps.cursors_of(flow_id)
        looks: list[Look] = []
        told: list[Lost] = []
        for cursor in cursors:
            look, missing = gaps.look(cursor, budget, gaps.AGAIN // len(cursors))
            budget -= look.counted
            looks.append(look)
            told += missing
    taken: defaultdict[Where, int] = defaultdict(int)
    for cursor in cursors:
        taken[cursor.node, cursor.partition] += cursor.position - cursor.origin
    findings = [*compare(counters, parked, taken), *_lost(told)]
    return Result(flow_id, int(change[0][0]) if change else 0, findings, looks)


def compare(
    counters: Counters, parked: Mapping[Where, int], taken: Mapping[Where, int]
) -> list[Finding]:
    """The nodes whose arrivals differ from what became of them, or from what came to them."""
    ended: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    came: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for where in sorted({*counters, *parked, *taken}):
        node, partition = where
        counts = counters.get(where, {})
        arrived, held = counts.get("arrived", 0), parked.get(where, 0)
        outcomes = sum(n for name, n in counts.items() if ":" not in name) - arrived
        sent = sum(n for name, n in counts.items() if name.startswith("in:"))
        sent += taken.get(where, 0)
        if arrived != outcomes + held:
            says = f"partition {partition}: {arrived:,} arrived, {outcomes:,} ended, {held:,} held"
            ended[node].append((abs(arrived - outcomes - held), says))
        if arrived != sent:
            says = f"partition {partition}: {arrived:,} arrived, {sent:,} sent here"
            came[node].append((abs(arrived - sent), says))
    return [*_told("outcomes", ended), *_told("arrivals", came)]


def _told(kind: str, by_node: Mapping[str, Sequence[tuple[int, str]]]) -> list[Finding]:
    found = []
    for node, parts in by_node.items():
        says = "; ".join(text for _, text in parts[:_TOLD])
        if len(parts) > _TOLD:
            says += f"; and {len(parts) - _TOLD} more partitions"
        found.append(Finding(node, kind, sum(n for n, _ in parts), f"{says[0].upper()}{says[1:]}."))
    return found


def _lost(lost: Sequence[Lost]) -> list[Finding]:
    """Events that were taken without a trace."""
    by_node: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for node, partition, (low, high), n in lost:
        offsets = f"offset {low}" if high - low == 1 else f"{n:,} of offsets {low} to {high - 1}"
        by_node[node].append((n, f"partition {partition}: {offsets} taken without a trace"))
    return _told("traces", by_node)


def _counters(flow_id: int) -> Counters:
    out: defaultdict[Where, dict[str, int]] = defaultdict(dict)
    for node, partition, name, n in sql.fetch(
        'SELECT node, "partition", name, n FROM workflows_counter WHERE flow_id = %s', (flow_id,)
    ):
        out[node, partition][name] = int(n)
    return out


def _parked(flow_id: int) -> Mapping[Where, int]:
    out: defaultdict[Where, int] = defaultdict(int)
    for table in ("workflows_effect", "workflows_held"):
        for node, partition, n in sql.fetch(
            f'SELECT node, "partition", COUNT(*) FROM {table} WHERE flow_id = %s'
            ' GROUP BY node, "partition"',
            (flow_id,),
        ):
            out[node, partition] += int(n)
    return out
