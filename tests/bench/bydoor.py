"""What does a request cost the web process? By its parts, and what they leave of the whole."""

import itertools
from collections import defaultdict
from typing import Any
from unittest import mock

import uvloop

from tests import make
from tests.bench.doorway import Doorway, request
from tests.bench.load import order
from tests.bench.parts import Costs, rounds_of
from tests.bench.stopwatch import Stopwatch
from workflows.ingest import accepting, appender, door, protocol, reading
from workflows.ingest.accepting import Response
from workflows.ingest.protocol import DoorProtocol
from workflows.ingest.views import doors
from workflows.storage import log
from workflows.tasks import nudger

_PATH = "/api/v1/flows/door/trigger"
_WARM = 3  # rounds
_READ, _KEYED = "read and check the event", "its key, partition, digest and JSON"
_ANSWER = "the answer"
_WRITTEN = "answers"  # by HTTP, of which that is a part
_ORDER = (_READ, _KEYED, _ANSWER)
_LOOP = "loop: "  # in front of what the event loop does itself


class Measure:
    """Groups of requests that arrive in one moment, and so are stored in one commit."""

    def __init__(self) -> None:
        make.published(make.order_document("door"))
        self._token = make.token()
        self._numbers = itertools.count()
        self._body = order("d")

    def __call__(self, group: int) -> Costs:
        rounds = rounds_of(group)
        with mock.patch.object(protocol, "_take", _answer_at_once):
            bare = uvloop.run(self._serve(group, rounds))
        with Stopwatch(detailed=("append", f"{_LOOP}append")) as watch:
            watch.around(reading, "read_trigger", _LOOP + _READ)
            watch.around(accepting, "incoming_of", _LOOP + _KEYED)
            watch.around(door, "answer_of", _LOOP + _ANSWER)
            watch.around(log, "append_at_once", f"{_LOOP}append")
            watch.around(log, "append", "append")
            watch.around(appender.Appender, "_commit_in_loop", f"{_LOOP}wake the requests")
            watch.around(appender.Appender, "_commit", "wake the requests")
            watch.around(nudger, "nudge", "nudge: Redis and Celery")
            watch.around(protocol, "_reply", _WRITTEN)
            whole = uvloop.run(self._serve(group, rounds, watch))
            del watch.seconds[_WRITTEN]
        n = rounds * group
        costs: defaultdict[str, float] = defaultdict(float)
        for name in sorted(watch.seconds, key=_place):
            costs[name.removeprefix(_LOOP)] += watch.seconds[name] / n * 1e6
        seconds = sum(taken for name, taken in watch.seconds.items() if name.startswith(_LOOP))
        bare, whole, on_the_loop = (one / n * 1e6 for one in (bare, whole, seconds))
        return {
            "HTTP: read, parse, write (uvicorn)": bare,
            "token, flow and channel from caches, hand-over": max(0.0, whole - bare - on_the_loop),
            **costs,
        }

    async def _serve(self, group: int, rounds: int, watch: Stopwatch | None = None) -> float:
        doorway = Doorway(doors, DoorProtocol)
        await doorway.open(group)
        seconds = 0.0
        for number in range(rounds + _WARM):
            if number == _WARM:
                seconds = 0.0
                if watch is not None:
                    watch.seconds.clear()
            seconds += await doorway.serve([self._request() for _ in range(group)])
        doorway.close()
        return seconds

    def _request(self) -> bytes:
        body = self._body(next(self._numbers), "2026-01-01T00:00:00Z")
        return request(_PATH, body, self._token)


def _answer_at_once(cycle: Any) -> bool:
    """What is left is the server's own work."""
    protocol._reply(cycle, Response(202, b"{}"))
    return True


def _place(name: str) -> tuple[int, str]:
    """What is done for each request first, then what is done for a group of them."""
    name = name.removeprefix(_LOOP)
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
