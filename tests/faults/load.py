"""The load of the fault tests, and what must be true of it at the end."""

import itertools
import threading
import time
from collections import Counter as Tally
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from tests import make
from tests.accounting import assert_balanced
from tests.sink import Sink
from workflows.models import Effect, Event, Flow, Trace
from workflows.storage import cursors
from workflows.tasks.inhand import LIMIT

EVENTS, KEYS = 2_000, 50


def flow_to(sink: Sink, ordering: str = "none") -> Flow:
    consumer = ("call", "consumer.http", {"url": f"{sink.url}/orders", "timeout_seconds": 2})
    body = make.order_document(consumer=consumer)
    body["nodes"][0]["config"]["key"] = "event.data.who"
    return make.published({**body, "settings": {"ordering": ordering}})


class Senders:
    """Post events from a few threads; each id is kept once its 202 has come. With several
    addresses, one that doesn't answer is given up for the next."""

    def __init__(self, *base_urls: str, numbers: range = range(EVENTS)) -> None:
        self.accepted: list[str] = []
        self._numbers = numbers
        self._urls = [f"{base_url}/api/v1/flows/orders/trigger" for base_url in base_urls]
        self._token = make.token(None, "events:write")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._send, self._numbers))

    def _send(self, i: int) -> None:
        event_id = f"e{i}"
        # Every other event passes the filter; a refused or broken request is sent again.
        data = {"amount": 150 if i % 2 else 50, "who": f"w{i % KEYS}"}
        event = {"id": event_id, "data": data}
        for attempt in itertools.count(i):
            try:
                url = self._urls[attempt % len(self._urls)]
                status, _ = make.post(url, event, self._token)
            except (OSError, HTTPException):  # the web process died, maybe in mid-answer
                time.sleep(0.02)  # as senders do: what is to start anew needs the processors
                continue
            if status == 202:
                self.accepted.append(event_id)
                return

    def finish(self) -> list[str]:
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.accepted


def all_done(flow: Flow) -> bool:
    return (
        cursors.lag_of_flow(flow.pk) == 0
        and not Trace.objects.filter(flow=flow, state="running").exists()
    )


def check(flow: Flow, accepted: list[str], sink: Sink, deaths: int) -> None:
    traced = list(Trace.objects.filter(flow=flow).values_list("event_id", flat=True))
    assert sorted(traced) == sorted(accepted), "every accepted event has one trace"
    expected = {event_id for event_id in accepted if int(event_id[1:]) % 2}
    calls = Tally(sink.ids())
    assert set(calls) == expected, "every expected call happened, and no other"
    keys: dict[str, set[str]] = {}
    for call in sink.calls:
        keys.setdefault(call.json["id"], set()).add(call.key)
    assert all(len(found) == 1 for found in keys.values()), "repeats carry the same key"
    repeats = sum(calls.values()) - len(calls)
    assert repeats <= LIMIT * deaths, f"{repeats} repeats"
    assert not Effect.objects.exists()
    assert_balanced(flow)


def check_order(sink: Sink) -> None:
    """The calls of each key came in the order of the log; a repeat only before the next one."""
    called: defaultdict[str, list[str]] = defaultdict(list)
    for call in sink.calls:
        who, event_id = call.json["data"]["who"], call.json["id"]
        if called[who][-1:] != [event_id]:
            called[who].append(event_id)
    passed = {event_id for ids in called.values() for event_id in ids}
    logged: defaultdict[str, list[str]] = defaultdict(list)
    for key, event_id in Event.objects.order_by("offset").values_list("key", "event_id"):
        if event_id in passed:
            logged[key].append(event_id)
    assert called == logged
