"""Is it as fast with millions of stored events as with none? `python -m tests.bench.large`

Three homes in one run: empty with 3 flows, empty with 200, and filled with 200. The same work on
each, in turns; then the ratios.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import uvloop

from tests.bench import page
from tests.bench.__main__ import CONNECTIONS, Sink, latency, running_sink, to_the_end
from tests.bench.load import closed_loop, order
from tests.bench.looks import looks, time_looks
from tests.bench.processes import spent, usage
from tests.bench.product import Product, measured_flows, running_product
from tests.servers import ROOT, wait_until

BAR = 1.2
Figures = dict[str, float]


class Home(NamedTuple):
    name: str
    folder: Path
    flows: int
    events: int


def fill(home: Home) -> None:
    words = ["--home", str(home.folder / "home"), "--flows", str(home.flows)]
    command = [sys.executable, "-m", "tests.bench.fill", *words, "--events", str(home.events)]
    subprocess.run(command, cwd=ROOT, check=True)


def work(product: Product, sink: Sink, events: int, prefix: str) -> Figures:
    """W2 at full speed, then W1 at fifty calls a second."""
    uvloop.run(closed_loop(product.target("w2"), order(f"{prefix}warm"), 2_000, CONNECTIONS))
    before = product.done()
    wait_until(lambda: product.done() == product.done(), 60)
    started, n = usage(product.pid), product.done()
    load = uvloop.run(closed_loop(product.target("w2"), order(prefix), events, CONNECTIONS))
    done = to_the_end(load, product.done, max(n, before) + events)
    costs = spent(started, usage(product.pid), events)
    batch = uvloop.run(closed_loop(product.batches(), order(f"{prefix}b"), 2_000, 1, batch=100))
    assert batch.accepted == 2_000
    late = latency(product.target("w1"), sink, 10, f"{prefix}l")
    return {
        "W2, accepted and traced, events/s": float(done["events_per_s"]),
        "W2, web process, µs an event": costs["web"],
        "W2, worker process, µs an event": costs["worker"],
        "W1 at 50 calls/s, p50 ms": late["p50"],
        "W1 at 50 calls/s, p99 ms": late["p99"],
    }


def measure(home: Home, sink: Sink, events: int, prefix: str) -> tuple[Figures, Figures]:
    with running_product(home.folder, sink.url, measured_flows(sink.url)) as product:
        working = work(product, sink, events, prefix)
        found = looks(product, f"{prefix}-7", f"{prefix}-7", 7)
        return working, time_looks(product, home.folder / "home", found)


def medians(of_rounds: list[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in of_rounds) for name in of_rounds[0]}


def as_table(title: str, homes: list[Home], by_home: dict[str, Figures], digits: int) -> str:
    names = [home.name for home in homes]
    rows = []
    for name in by_home[names[0]]:
        cells = [by_home[home][name] for home in names]
        beside, ratio = (_slower(name, before, cells[-1]) for before in (cells[1], cells[0]))
        mark = "" if ratio <= BAR else " *"
        shown = [f"{cell:,.{digits}f}" for cell in cells]
        rows.append([name, *shown, f"{beside:.2f}", f"{ratio:.2f}{mark}"])
    head = [title, *names, "÷ empty, 200 flows", "÷ empty"]
    return page.table(head, rows)


def _slower(name: str, before: float, after: float) -> float:
    """How many times slower (or dearer) it is than before."""
    if name.endswith("events/s"):
        before, after = after, before
    return after / before if before else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5.0)
    parser.add_argument("--events", type=int, default=10_000, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the filled home is, or is to be kept")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    if os.environ.get("DATABASE_URL"):
        parser.error("three homes can't share the database of DATABASE_URL: unset it")
    stored = int(words.millions * 1e6)
    with tempfile.TemporaryDirectory(prefix="eventflow-large-") as name:
        kept = words.folder or Path(name) / "filled"
        homes = [
            Home("empty", Path(name) / "empty", 3, 0),
            Home("empty, 200 flows", Path(name) / "many", 200, 0),
            Home(f"{words.millions:g} million", kept, 200, stored),
        ]
        for home in homes:
            if not (home.folder / "home").exists():
                fill(home)
        worked: dict[str, list[Figures]] = {home.name: [] for home in homes}
        looked: dict[str, list[Figures]] = {home.name: [] for home in homes}
        with running_sink() as sink:
            for number in range(words.rounds):
                for home in homes:
                    prefix = f"m{int(time.time())}-{number}"
                    working, looking = measure(home, sink, words.events, prefix)
                    worked[home.name].append(working)
                    looked[home.name].append(looking)
        size = sum(one.stat().st_size for one in (kept / "home").glob("eventflow.sqlite3*"))
        tables = [
            as_table("work", homes, {k: medians(v) for k, v in worked.items()}, 1),
            as_table("ms of the web process", homes, {k: medians(v) for k, v in looked.items()}, 1),
            f"`*`: past the bar of {BAR}. Size on disk: {size / 2**30:.1f} GiB.",
        ]
        page.show("stored events", "\n\n".join(tables), words.write)
        if words.folder is None:
            shutil.rmtree(kept, ignore_errors=True)


if __name__ == "__main__":
    main()
