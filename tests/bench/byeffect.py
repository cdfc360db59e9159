"""What does an HTTP call add to an event that is called for? The call itself, and all around it."""

import asyncio
import time

import uvloop

from tests import make
from tests.bench.bydrain import Drained, Events, time_drain
from tests.bench.parts import Costs, rounds_of
from tests.bench.rates import Sink
from tests.bench.stopwatch import Stopwatch
from tests.servers import wait_until
from workflows.connectors.guard import parse_networks
from workflows.connectors.http import HttpConnector
from workflows.engine.effects import HttpRequest
from workflows.tasks import calls, process, settle
from workflows.tasks.inhand import NODE_LIMIT


class Measure:
    """Events of which each one is called for, drained in groups; then their replies settled. In
    larger groups the calls are made before the commit, and little is left to settle (ADR 23)."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._url = sink, f"{sink.url}/order"
        end = ("call", "consumer.http", {"url": self._url})
        self._drained = Drained(make.order_document("called", end), Events("c", all_pass=True))

    def __call__(self, group: int) -> Costs:
        rounds = rounds_of(group) // 4 + 5
        process.stop(5.0)  # a performer remembers what it was made with
        with Stopwatch(detailed=("commit", "settle")) as watch:
            time_drain(watch)
            watch.around(calls.Calls, "act", "hand the calls over")
            watch.around(calls.Calls, "begin", "hand the calls over")
            watch.around(calls, "resume", "walk on with early answers")
            watch.around(settle, "settle", "settle")
            watch.around(settle, "run", "settle: engine")
            watch.around(settle, "later_commit", "settle: recorder")
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
        some = asyncio.Semaphore(NODE_LIMIT)

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
    """Whether there is less of it without a call."""
    is_own = name.startswith(("settle", "hand", "walk on"))
    return is_own or "effect" in name or name == "commit: commit"
