"""`make bench`: the work of DESIGN section 10, as figures and as ratios to Node-RED.

W1 is filter, transform and an HTTP call; W2 the same without the call. Throughput counts accepted
events over the time from the first request to the last trace (W2) or the last call (W1). Visible is
an event when its row is on the screen of somebody who watches the flow.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import uvloop

from tests.bench import page
from tests.bench.load import closed_loop, order
from tests.bench.peer import Peer, is_installed, running_peer
from tests.bench.product import Product, running_product, using_database
from tests.bench.rates import (
    CONNECTIONS,
    Figures,
    Sink,
    latency,
    running_sink,
    to_the_end,
    with_sink,
)
from tests.bench.visible import browser_path, visible
from tests.servers import ROOT, create_database, postgres_server, wait_until

WARM = 2_000  # events, an even number
BARS = {  # ratios to Node-RED; PostgreSQL's server has to share the machine
    "sqlite": {"w2": 1.0, "w1": 1.5, "batch": 3.0},
    "postgres": {"w2": 0.8, "w1": 1.2, "batch": 2.5},
}
PLACES = {"sqlite": "peer", "postgres": "peer on PostgreSQL"}
P50_BAR_MS, P99_BAR_MS = 8.0, 30.0
VISIBLE_BAR_MS = 300.0  # p95


@contextmanager
def databases(kind: str) -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Gives each round an empty one: a file of its own, or one of a PostgreSQL that waits for its
    disk as it does at work."""
    if kind == "sqlite":
        yield lambda name: using_database("")
        return
    with postgres_server(fsync=True) as server:
        yield lambda name: using_database(create_database(server.url, name))


def measure(words: argparse.Namespace, folder: Path) -> Figures:
    """Both by turns, in each round with nothing stored."""
    out: Figures = {"eventflow": {}, "peer": {}}
    with running_sink() as sink, databases(words.database) as database:
        for i in range(words.rounds):
            if is_installed():
                place = Path(tempfile.mkdtemp(dir=folder))
                with running_peer(place, f"{sink.url}/order") as peer:
                    measure_peer(out["peer"], peer, sink, words.events, i)
            home = Path(tempfile.mkdtemp(dir=folder))
            with database(f"round{i}"), running_product(home, sink.url) as product:
                measure_product(out["eventflow"], product, sink, words.events, i)
    return out


def measure_peer(out: Figures, peer: Peer, sink: Sink, events: int, i: int) -> None:
    uvloop.run(closed_loop(peer.target("w2"), order("warm"), WARM, CONNECTIONS))
    wait_until(lambda: peer.done() >= WARM // 2, 60)
    load = uvloop.run(closed_loop(peer.target("w2"), order(f"p{i}"), events, CONNECTIONS))
    add(out, "w2", to_the_end(load, peer.done, (WARM + events) // 2))
    add(out, "w1", with_sink(peer.target("w1"), sink, events, f"p{i}"))
    add(out, "latency", latency(peer.target("w1"), sink, 10, f"pl{i}"))


def measure_product(out: Figures, product: Product, sink: Sink, events: int, i: int) -> None:
    uvloop.run(closed_loop(product.target("w2"), order("warm"), WARM, CONNECTIONS))
    wait_until(lambda: product.done() >= WARM, 60)
    load = uvloop.run(closed_loop(product.target("w2"), order(f"e{i}"), events, CONNECTIONS))
    add(out, "w2", to_the_end(load, product.done, WARM + events))
    add(out, "w1", with_sink(product.target("w1"), sink, events, f"e{i}"))
    load = uvloop.run(closed_loop(product.batches(), order(f"b{i}"), events * 5, 8, batch=100))
    add(out, "batch", to_the_end(load, lambda: product.done("w3"), events * 5))
    add(out, "latency", latency(product.target("w1"), sink, 10, f"el{i}"))
    if browser_path():
        add(out, "visible", visible(product, "w2", str(i)))


def add(into: Figures, name: str, figures: Figures) -> None:
    into.setdefault(name, []).append(figures)


def middle(figures: Figures, name: str, key: str) -> float:
    return float(statistics.median(one[key] for one in figures[name]))


def report(out: Figures, bars: dict[str, float]) -> list[str]:
    """The table, one line a bar; medians of the rounds."""
    own, peer = out["eventflow"], out["peer"]
    lines = []
    for name, bar in bars.items():
        rate = middle(own, name, "events_per_s")
        line = f"{name:8} eventflow {rate:8.0f} events/s"
        if peer:
            base = middle(peer, "w1" if name == "w1" else "w2", "events_per_s")
            met = "met" if rate / base >= bar else "MISSED"
            line += f"   Node-RED {base:7.0f}   ratio {rate / base:.2f} (bar {bar}: {met})"
        lines.append(line)
    p50, p99 = round(middle(own, "latency", "p50"), 1), round(middle(own, "latency", "p99"), 1)
    met = "met" if p50 <= P50_BAR_MS and p99 <= P99_BAR_MS else "MISSED"
    told = f"bars {P50_BAR_MS:g} and {P99_BAR_MS:g}: {met}"
    line = f"latency  eventflow p50 {p50} ms, p99 {p99} ms ({told})"
    if peer:
        line += f"   Node-RED p50 {middle(peer, 'latency', 'p50')} ms"
    lines.append(line)
    if "visible" in own:
        p50, p95 = middle(own, "visible", "p50"), middle(own, "visible", "p95")
        met = "met" if p95 <= VISIBLE_BAR_MS else "MISSED"
        told = f"bar {VISIBLE_BAR_MS:g}: {met}"
        lines.append(f"visible  eventflow p50 {p50} ms, p95 {p95} ms in Chromium ({told})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="events in one run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=tuple(BARS), default="sqlite")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eventflow-bench-") as name:
        out = measure(words, Path(name))
    if not is_installed():
        print("Node-RED isn't installed (see tests/bench/peer.py): no ratios.")
    results = ROOT / "bench-results"
    results.mkdir(exist_ok=True)
    path = results / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(out, indent=1))
    lines = "\n".join(report(out, BARS[words.database]))
    print(lines)
    print(f"written to {path.relative_to(ROOT)}")
    if words.write:
        page.put(
            PLACES[words.database], f"```\n{lines}\n```\n\n{page.circumstances(words.database)}"
        )


if __name__ == "__main__":
    main()
