"""What does an HTTP call add to an event that is called for? The call itself, and all around it."""

import asyncio
import time
from contextlib import ExitStack

import uvloop

from tests import make
from tests.bench.__main__ import running_sink
from tests.bench.bydrain import Drained, Events, time_drain
from tests.bench.parts import Costs, rounds_of
from tests.bench.stopwatch import Stopwatch
from tests.servers import wait_until
from workflows.connectors.guard import parse_networks
from workflows.connectors.http import HttpConnector
from workflows.engine.effects import HttpRequest
from workflows.storage import recorded
from workflows.tasks import calls, process, settle

_AT_ONCE = 40  # effects of one node that a worker process performs


class Measure:
    """Events of which each one is called for, drained in groups; then their replies settled."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._sink = self._running.enter_context(running_sink())
        url = f"{self._sink.url}/order"
        end = ("call", "consumer.http", {"url": url})
        self._drained = Drained(make.order_document("called", end), Events("c", all_pass=True))
        self._url = url

    def __call__(self, group: int) -> Costs:
        rounds = rounds_of(group) // 4 + 5
        process.stop(5.0)  # a performer remembers what it was made with
        with Stopwatch(detailed=("commit", "settle")) as watch:
            time_drain(watch)
            watch.around(calls.Calls, "begin", "hand the calls over")
            watch.around(settle, "settle", "settle")
            watch.around(settle, "run", "settle: engine")
            watch.around(settle, "later_commit", "settle: recorder")
            watch.around(recorded, "note", "settle: recorder")
            watch.around(settle, "announce", "settle: tell the live room")
            for number in range(rounds + 2):
                if number == 2:  # the first ones open connections
                    watch.seconds.clear()
                self._once(group)
            process.stop(5.0)
        n = rounds * group
        costs = {name: seconds / n * 1e6 for name, seconds in watch.seconds.items()}
        kept = {name: cost for name, cost in costs.items() if _belongs(name)}
        called = uvloop.run(self._call(group, rounds)) / n * 1e6
        return {"the call itself": called, **kept}

    def _once(self, group: int) -> None:
        self._sink.reset()
        self._drained.drain(group)
        wait_until(lambda: not process.performer().room.used(), 30, "all settled")

    async def _call(self, group: int, rounds: int) -> float:
        """Seconds of processor for so many calls by the connector alone."""
        connector = HttpConnector(parse_networks(["127.0.0.0/8"]))
        await connector.open()
        body = '{"id":"1","time":"2026-01-01T00:00:00Z","data":{"amount":1,"total_with_vat":1.2}}'
        effect = HttpRequest(method="POST", url=self._url, body=body)
        some = asyncio.Semaphore(_AT_ONCE)

        async def one() -> None:
            async with some:
                assert (await connector.perform(effect, "key")).ok

        await asyncio.gather(*(one() for _ in range(group)))
        begun = time.thread_time()
        for _ in range(rounds):
            await asyncio.gather(*(one() for _ in range(group)))
        seconds = time.thread_time() - begun
        await connector.close()
        return seconds


def _belongs(name: str) -> bool:
    return name.startswith(("settle", "hand")) or "effect" in name or name == "commit: commit"
