"""Do the processes keep what they should let go? `python -m tests.bench.memory --events 2000000`

Sends events at a steady rate through the whole road, one in twenty with a call, and looks at every
process's own memory each five seconds. The first half of the run warms them up: a page cache has
the size of the largest batch yet, and the largest of all comes late. The slope is that of a line
through the second half; it is flat when 100,000 events add less than the bound.
"""

import argparse
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

from tests.bench import page
from tests.bench.load import closed_loop, order
from tests.bench.processes import usage
from tests.bench.product import Product, running_product
from tests.bench.rates import CONNECTIONS, running_sink
from tests.servers import wait_until

BOUND_KIB = 1_024  # more of one process by 100,000 events
EVERY_SECONDS = 5.0
WARM = 0.5  # of the events
CALLED = 20  # one event of so many
_PORTION = 10_000  # events that are sent before one looks whether they are done
PROCESSES = ("web", "worker", "timers", "valkey")


class Sample(NamedTuple):
    events: int
    kib: dict[str, int]


class Sampler(threading.Thread):
    """Takes samples until it is stopped."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self._product = product
        self.samples: list[Sample] = []
        self.events = 0  # done so far
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(EVERY_SECONDS):
            found = usage(self._product.pid)
            self.samples.append(Sample(self.events, {name: found[name].kib for name in PROCESSES}))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line that is closest to these points."""
    n = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    wide = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / wide if wide else 0.0


def send(product: Product, events: int, sampler: Sampler) -> None:
    """Send so many events; the sampler is told how many of them are done."""
    uncalled = 0
    for start in range(0, events, _PORTION):
        n = min(_PORTION, events - start)
        called = n // CALLED
        load = closed_loop(product.target("w1"), order(f"a{start}"), called, 4)
        assert not uvloop.run(load).refused
        load = closed_loop(product.target("w2"), order(f"b{start}"), n - called, CONNECTIONS)
        assert not uvloop.run(load).refused
        uncalled += n - called
        wait_until(partial(_is_done, product, uncalled), 300, f"the end of {uncalled} events of W2")
        sampler.events = start + n


def _is_done(product: Product, events: int) -> bool:
    return product.done("w2") >= events


def as_table(samples: Sequence[Sample], events: int) -> str:
    warm = [one for one in samples if one.events >= WARM * events]
    rows = []
    for name in PROCESSES:
        kib = [one.kib[name] for one in warm]
        more = slope([(one.events / 100_000, one.kib[name]) for one in warm])
        told = "flat" if more <= BOUND_KIB else "**grows**"
        figures = (kib[0], kib[-1], max(kib))
        rows.append([name, *(f"{one / 1024:,.1f}" for one in figures), f"{more:+,.0f}", told])
    head = ["process", "first, MiB", "last, MiB", "peak, MiB", "KiB more by 100,000 events"]
    text = page.table([*head, f"bound {BOUND_KIB:,} KiB"], rows)
    return f"{text}\n\n{events:,} events, {len(samples)} samples, {len(warm)} of them when warm."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="eventflow-memory-") as name,
        running_sink() as sink,
        running_product(Path(name), sink.url) as product,
    ):
        sampler = Sampler(product)
        sampler.start()
        send(product, words.events, sampler)
        sampler.stopping.set()
        sampler.join()
    page.show("memory", as_table(sampler.samples, words.events), words.write)


if __name__ == "__main__":
    main()
