"""Is it as fast with millions of stored events as with none? `python -m tests.bench.large`

Three homes in one run: empty with 3 flows, empty with 200, and filled with 200. The same work on
each, in turns; then the ratios.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import uvloop

from tests import servers
from tests.bench import page
from tests.bench.load import closed_loop, order
from tests.bench.looks import looks, time_looks
from tests.bench.processes import spent, usage
from tests.bench.product import Product, measured_flows, running_product, using_database
from tests.bench.rates import CONNECTIONS, Sink, latency, running_sink, to_the_end
from tests.servers import ROOT, wait_until

BAR = 1.2
WARM = 2_000  # events
PLACES = {"sqlite": "stored events", "postgres": "stored events on PostgreSQL"}
Figures = dict[str, float]


class Home(NamedTuple):
    name: str
    folder: Path
    flows: int
    events: int
    database: str = ""  # its URL; empty: SQLite in the folder


def fill(home: Home) -> None:
    words = ["--home", str(home.folder / "home"), "--flows", str(home.flows)]
    command = [sys.executable, "-m", "tests.bench.fill", *words, "--events", str(home.events)]
    subprocess.run(command, cwd=ROOT, check=True)


def work(product: Product, sink: Sink, events: int, prefix: str) -> Figures:
    """W2 at full speed, then W1 at fifty calls a second."""
    was = product.done()
    uvloop.run(closed_loop(product.target("w2"), order(f"{prefix}warm"), WARM, CONNECTIONS))
    wait_until(lambda: product.done() >= was + WARM, 60)
    started = usage(product.pid)
    load = uvloop.run(closed_loop(product.target("w2"), order(prefix), events, CONNECTIONS))
    done = to_the_end(load, product.done, was + WARM + events)
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


@contextlib.contextmanager
def homes_on(database: str, kept: Path | None, millions: float) -> Iterator[list[Home]]:
    """The three homes: each with a SQLite file of its own, or a database of one PostgreSQL that
    waits for its disk as it does at work."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eventflow-large-")))
        homes = [
            Home("empty", folder / "empty", 3, 0),
            Home("empty, 200 flows", folder / "many", 200, 0),
            Home(f"{millions:g} million", kept or folder / "filled", 200, int(millions * 1e6)),
        ]
        if database == "postgres":
            url = stack.enter_context(servers.postgres_server(fsync=True)).url
            homes = [
                home._replace(database=servers.create_database(url, home.folder.name))
                for home in homes
            ]
        for home in homes:
            if not (home.folder / "home").exists():
                with using_database(home.database):
                    fill(home)
        yield homes


def size_of(home: Home) -> int:
    """Bytes on disk."""
    if not home.database:
        files = (home.folder / "home").glob("eventflow.sqlite3*")
        return sum(one.stat().st_size for one in files)
    with psycopg.connect(home.database) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5.0)
    parser.add_argument("--events", type=int, default=10_000, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--folder", type=Path, help="where SQLite's filled home is, or is kept")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    if os.environ.get("DATABASE_URL"):
        parser.error("each home has a database of its own: unset DATABASE_URL, and say --database")
    if words.folder and words.database != "sqlite":
        parser.error("PostgreSQL's databases end with the run: --folder is for SQLite")
    worked: dict[str, list[Figures]] = {}
    looked: dict[str, list[Figures]] = {}
    with homes_on(words.database, words.folder, words.millions) as homes, running_sink() as sink:
        for number in range(words.rounds):
            for home in homes:
                prefix = f"m{int(time.time())}-{number}"
                with using_database(home.database):
                    working, looking = measure(home, sink, words.events, prefix)
                worked.setdefault(home.name, []).append(working)
                looked.setdefault(home.name, []).append(looking)
        unit = "ms of the web process" if words.database == "sqlite" else "ms, the shortest of 20"
        tables = [
            as_table("work", homes, {k: medians(v) for k, v in worked.items()}, 1),
            as_table(unit, homes, {k: medians(v) for k, v in looked.items()}, 1),
            f"`*`: past the bar of {BAR}. Size on disk: {size_of(homes[-1]) / 2**30:.1f} GiB.",
        ]
        with using_database(homes[-1].database):  # which the line under the tables names
            page.show(PLACES[words.database], "\n\n".join(tables), words.write)


if __name__ == "__main__":
    main()
