"""How fast does one kind of work go? Up to its last call (W1), or up to its last trace (W2)."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from tests.bench.load import Load, Target, closed_loop, open_loop, order
from tests.servers import ROOT, free_port, wait_until

CONNECTIONS = 32
Figures = dict[str, Any]


class Sink:
    """Where the calls end, in a process of its own (`tests.bench.sink`)."""

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
    """W1: the rate up to the last call. AssertionError if the sink got others than it should."""
    sink.reset()
    load = uvloop.run(closed_loop(target, order(prefix), events, CONNECTIONS))
    expected = events // 2
    wait_until(lambda: sink.tell()["count"] >= expected, 120, f"{expected} calls")
    told = sink.tell()
    assert (told["count"], told["wrong"]) == (expected, 0), "other calls came than were expected"
    return {
        "events_per_s": round(load.accepted / (told["last"] - load.started)),
        "accepted": load.accepted,
        "refused": load.refused,
        "calls": told["count"],
        "repeats": told["repeats"],
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
    """POST to call at 50 calls a second: of 100 events, every other one is called for."""
    sink.reset()
    load = uvloop.run(open_loop(target, order(prefix), 100, seconds))
    wait_until(lambda: sink.tell()["count"] >= load.accepted // 2, 30, "the last calls")
    told = sink.tell()["milliseconds"]
    return {"p50": percentile(told, 0.5), "p99": percentile(told, 0.99), "calls": len(told)}
