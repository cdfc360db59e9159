"""`make bench`: the work of DESIGN section 10, as figures and as ratios to Node-RED.

W1 is filter, transform and an HTTP call; W2 the same without the call. Throughput counts accepted
events over the time from the first request to the last trace (W2) or the last call (W1).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import uvloop

from tests.bench import page
from tests.bench.load import Load, Target, closed_loop, open_loop, order
from tests.bench.peer import is_installed, running_peer
from tests.bench.product import running_product, using_database
from tests.servers import ROOT, create_database, free_port, postgres_server, wait_until

CONNECTIONS = 32
BARS = {  # ratios to Node-RED; PostgreSQL's server has to share the machine
    "sqlite": {"w2": 1.0, "w1": 1.5, "batch": 3.0},
    "postgres": {"w2": 0.8, "w1": 1.2, "batch": 2.5},
}
PLACES = {"sqlite": "peer", "postgres": "peer on PostgreSQL"}
P50_BAR_MS, P99_BAR_MS = 8.0, 30.0
Figures = dict[str, Any]


class Sink:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.url}/reset", data=b"", method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def tell(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            return dict(json.load(answer))


@contextmanager
def running_sink() -> Iterator[Sink]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.sink", str(port)], cwd=ROOT)
    sink = Sink(port)

    def answers() -> bool:
        try:
            return "count" in sink.tell()
        except OSError:
            return False

    try:
        wait_until(answers, 20, "the sink")
        yield sink
    finally:
        process.terminate()
        process.wait(10)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def with_sink(target: Target, sink: Sink, events: int, prefix: str) -> Figures:
    """W1: the rate up to the last call, and that every expected call came once."""
    sink.reset()
    load = uvloop.run(closed_loop(target, order(prefix), events, CONNECTIONS))
    expected = events // 2
    wait_until(lambda: sink.tell()["count"] >= expected, 120, f"{expected} calls")
    told = sink.tell()
    return {
        "events_per_s": round(load.accepted / (told["last"] - load.started)),
        "accepted": load.accepted,
        "refused": load.refused,
        "calls": told["count"],
        "repeats": told["repeats"],
        "wrong": told["wrong"],
    }


def to_the_end(load: Load, done: Callable[[], int], expected: int) -> Figures:
    """W2 and batches: the rate up to the last event done."""
    wait_until(lambda: done() >= expected, 120, f"{expected} events done")
    return {
        "events_per_s": round(load.accepted / (time.time() - load.started)),
        "accepted": load.accepted,
        "refused": load.refused,
        "accepted_per_s": round(load.accepted / load.seconds),
    }


def latency(target: Target, sink: Sink, seconds: float, prefix: str) -> Figures:
    """POST to call at 50 events a second, of which every other one is called for."""
    sink.reset()
    load = uvloop.run(open_loop(target, order(prefix), 100, seconds))
    wait_until(lambda: sink.tell()["count"] >= load.accepted // 2, 30, "the last calls")
    told = sink.tell()["milliseconds"]
    return {"p50": percentile(told, 0.5), "p99": percentile(told, 0.99), "calls": len(told)}


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
    events: int = words.events
    out: Figures = {"eventflow": {}, "peer": {}}
    with running_sink() as sink, databases(words.database) as database:
        for i in range(words.rounds):
            if is_installed():
                with running_peer(Path(tempfile.mkdtemp(dir=folder)), f"{sink.url}/order") as peer:
                    uvloop.run(closed_loop(peer.target("w2"), order("warm"), 2000, CONNECTIONS))
                    before = peer.done()
                    load = uvloop.run(closed_loop(peer.target("w2"), order(f"p{i}"), events, 32))
                    w2 = to_the_end(load, peer.done, before + events // 2)
                    add(out["peer"], "w2", w2)
                    add(out["peer"], "w1", with_sink(peer.target("w1"), sink, events, f"p{i}"))
                    add(out["peer"], "latency", latency(peer.target("w1"), sink, 10, f"pl{i}"))
            home = Path(tempfile.mkdtemp(dir=folder))
            with database(f"round{i}"), running_product(home, sink.url) as product:
                uvloop.run(closed_loop(product.target("w2"), order("warm"), 2000, CONNECTIONS))
                wait_until(lambda: product.done() >= 2000, 60)
                load = uvloop.run(closed_loop(product.target("w2"), order(f"e{i}"), events, 32))
                add(out["eventflow"], "w2", to_the_end(load, product.done, 2000 + events))
                add(out["eventflow"], "w1", with_sink(product.target("w1"), sink, events, f"e{i}"))
                load = uvloop.run(
                    closed_loop(product.batches(), order(f"b{i}"), events * 5, 8, batch=100)
                )
                done = to_the_end(load, lambda: product.done("w3"), events * 5)
                add(out["eventflow"], "batch", done)
                add(out["eventflow"], "latency", latency(product.target("w1"), sink, 10, f"el{i}"))
    return out


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
    return [*lines, line]


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
    if words.write:
        page.put(
            PLACES[words.database], f"```\n{lines}\n```\n\n{page.circumstances(words.database)}"
        )
    print(lines)
    print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
