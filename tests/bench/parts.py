"""Where does each microsecond of an event go? `python -m tests.bench.parts [--write]`

One process does what web and worker processes do, with the parts of their work timed: an event
comes through the door, is drained and traced; another one is called for. For groups of 1, 10, 40
and 200 events, in microseconds of processor: waiting for the disk, for a lock or for a core isn't
in them.
"""

import argparse
from collections.abc import Callable
from typing import Any

from tests.bench import page
from tests.bench.own import own_installation
from tests.bench.rates import running_sink

GROUPS = (1, 10, 40, 200)
_SMALL = 0.05  # of the whole, whatever the group
EVENTS = 2_000  # of each size of group, but at least 20 groups and at most 500
Costs = dict[str, float]  # part -> microseconds an event, in the order in which they come


def rounds_of(group: int) -> int:
    return max(20, min(500, EVENTS // group))


def as_table(title: str, by_group: dict[int, Costs]) -> str:
    """One row a part, one column a size of group; what costs next to nothing shares a row."""
    sums = [sum(by_group[group].values()) for group in GROUPS]
    names = list(dict.fromkeys(name for costs in by_group.values() for name in costs))
    rows = []
    small = [0.0] * len(GROUPS)
    for name in names:
        cells = [by_group[group].get(name, 0.0) for group in GROUPS]
        if all(cell < _SMALL * whole for cell, whole in zip(cells, sums, strict=True)):
            small = [before + cell for before, cell in zip(small, cells, strict=True)]
        else:
            rows.append([name, *(f"{cell:,.1f}" for cell in cells)])
    if any(small):
        rows.append(["all that is smaller", *(f"{cell:,.1f}" for cell in small)])
    rows.append(["**together**", *(f"**{one:,.0f}**" for one in sums)])
    return f"**{title}**\n\n" + page.table(["µs an event, in groups of", *map(str, GROUPS)], rows)


def measure(measured: Callable[[int], Costs]) -> dict[int, Costs]:
    measured(10)  # what is done once only: imports, plans, connections, statements
    return {group: measured(group) for group in GROUPS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    with own_installation(), running_sink() as sink:
        from tests.bench import bydoor, bydrain, byeffect

        tables: list[tuple[str, Any]] = [
            ("Web process: from the socket to the answer", bydoor.Measure()),
            ("Worker process: from the log to the trace (W2)", bydrain.Measure()),
            ("Engine, by hop", bydrain.Hops()),
            ("Worker process: what a call adds (W1), for each call", byeffect.Measure(sink)),
        ]
        text = "\n\n".join(as_table(title, measure(one)) for title, one in tables)
    page.show("parts", text, words.write)


if __name__ == "__main__":
    main()
