"""The soak itself: load, faults, and what must be true at the end."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from django.db import OperationalError, close_old_connections

from tests import make, servers
from tests.accounting import assert_balanced
from tests.servers import Stack, wait_until
from tests.sink import Answer, Call, running_sink
from tests.soak.faults import Faults, Valkey
from workflows.management import children
from workflows.models import Alarm, DeadLetter, Effect, Flow, Held, Slot, Trace
from workflows.storage import alarms, cursors
from workflows.tasks.audit import audit
from workflows.tasks.inhand import LIMIT

SENDERS, KEYS = 4, 3  # keys of each sender
FLOWS = ("ordered", "loose")
RETRY = {"attempts": 0, "first_seconds": 0.05, "cap_seconds": 0.5}


def _flow(slug: str, url: str) -> Flow:
    nodes: list[make.Node] = [
        ("in", "producer.http", {"key": "event.data.key"}),
        ("wait", "filter.delay", {"seconds": 0.05}),
        (
            "call",
            "consumer.http",
            {"url": f"{url}/{slug}", "timeout_seconds": 2, "retry": RETRY},
        ),
        ("seen", "consumer.log", {}),
    ]
    body = make.document(slug, nodes, ["in:out wait", "wait:out call", "in:out seen"])
    ordering = "key" if slug == "ordered" else "none"
    return make.published({**body, "settings": {"ordering": ordering}})


class Destination:
    """Fails one call in ten, and stalls one in a hundred, until it is `well`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.well = False
        self.calls: list[tuple[str, str, int, str]] = []  # flow, key, number, idempotency key
        self.repeats = 0  # calls for what had been taken before
        self._taken: set[tuple[str, str, int, str]] = set()

    def __call__(self, call: Call) -> Answer:
        data = call.json["data"]
        what = (call.path.strip("/"), data["key"], data["n"], call.key)
        with self._lock:
            self.calls.append(what)
            dice = 1.0 if self.well else self._random.random()
            self.repeats += what in self._taken
            if dice >= 0.1:
                self._taken.add(what)
        if dice < 0.01:
            time.sleep(3)  # longer than the caller waits
        return (503, {}, b"") if dice < 0.1 else (200, {}, b"")


class Sender(threading.Thread):
    """Sends numbered events of its keys to both flows in turn, each again until it is accepted."""

    def __init__(self, number: int, base_url: str, token: str, pause: float) -> None:
        super().__init__(daemon=True)
        self._keys = [f"k{number}-{i}" for i in range(KEYS)]
        self._base_url, self._token, self._pause = base_url, token, pause
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            for key in self._keys:
                for slug in FLOWS:
                    self._send(slug, key, self.accepted[slug, key])
                    self.accepted[slug, key] += 1
                    time.sleep(self._pause)  # the load that was asked for

    def _send(self, slug: str, key: str, n: int) -> None:
        event = {"id": f"{key}-{n}", "data": {"key": key, "n": n}}
        while True:
            try:
                status, _ = make.post(
                    f"{self._base_url}/api/v1/flows/{slug}/trigger", event, self._token
                )
            except (OSError, HTTPException):  # the web process is down, or died in mid-answer
                time.sleep(0.1)  # as senders do, not as fast as it can be refused
                continue
            if status == 202:
                return
            time.sleep(0.1)  # the database is away: not accepted, so sent again


def play(
    home: Path,
    postgres: servers.Postgres | None,
    seconds: float,
    rate: float,
    seed: int,
    wrong_clock: Mapping[str, str],
) -> int:
    """Run the soak; 0 when all went well. One of the two workers has the `wrong_clock`."""
    valkey = Valkey(home)
    with running_sink() as sink:
        sink.answer = destination = Destination(seed)
        flows = {slug: _flow(slug, sink.url) for slug in FLOWS}
        token = make.token(None, "events:write")
        stack = Stack(home, children.environment(home, valkey.url))
        faults = Faults(stack, valkey, postgres, seed)
        try:
            stack.start(workers=1)
            stack.start(workers=1, **wrong_clock)
            senders = [Sender(i, stack.base_url, token, SENDERS / rate) for i in range(SENDERS)]
            for sender in senders:
                sender.start()
            _break_things(faults, seconds)
            for sender in senders:
                sender.stopping.set()
            for sender in senders:
                sender.join(60)
            destination.well = True
            accepted = sum((sender.accepted for sender in senders), Counter())
            _wait_for_the_end(flows)
            problems = _problems(flows, accepted, destination, faults)
        finally:
            stack.close()
            valkey.close()
    for problem in problems:
        print(f"broken: {problem}")
    print(
        f"{sum(accepted.values())} events, {len(destination.calls)} calls"
        f" ({destination.repeats} repeats),"
        f" {len(faults.done)} faults ({', '.join(sorted(set(faults.done)))}):"
        f" {'all promises kept' if not problems else f'{len(problems)} broken'}"
    )
    return 1 if problems else 0


def _break_things(faults: Faults, seconds: float) -> None:
    end = time.monotonic() + seconds
    pace = random.Random(seconds)
    while time.monotonic() < end:
        # What broke comes back, and work goes on for a moment, before the next.
        time.sleep(min(pace.uniform(0.5, 4.0), max(0.0, end - time.monotonic())))
        faults.next()


def _wait_for_the_end(flows: dict[str, Flow]) -> None:
    def is_over() -> bool:
        try:
            return all(
                cursors.lag_of_flow(flow.pk) == 0
                and not Trace.objects.filter(flow=flow, state="running").exists()
                for flow in flows.values()
            )
        except OperationalError:  # PostgreSQL was restarted under this connection
            close_old_connections()
            return False

    wait_until(is_over, 120, "the end of all traces")


def _problems(
    flows: dict[str, Flow],
    accepted: "Counter[tuple[str, str]]",
    destination: Destination,
    faults: Faults,
) -> list[str]:
    """Each promise that was broken, in words."""
    out: list[str] = []
    for slug, flow in flows.items():
        wanted = sorted(
            f"{key}-{n}" for (s, key), m in accepted.items() if s == slug for n in range(m)
        )
        traced = sorted(Trace.objects.filter(flow=flow).values_list("event_id", flat=True))
        if traced != wanted:
            out.append(f"{slug}: {len(wanted)} events were accepted, {len(traced)} have traces")
        called = sorted({f"{key}-{n}" for s, key, n, _ in destination.calls if s == slug})
        if called != wanted:
            out.append(f"{slug}: {len(wanted)} events were accepted, {len(called)} were delivered")
        try:
            assert_balanced(flow)
        except AssertionError as error:
            out.append(f"{slug} doesn't add up: {error}")
    out += _disorder(destination)
    if destination.repeats > (most := LIMIT * faults.deaths):
        out.append(f"{destination.repeats} calls were repeated, {most} at most are allowed")
    idempotency: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for slug, key, n, name in destination.calls:
        idempotency[slug, key, n].add(name)
    if several := [where for where, names in idempotency.items() if len(names) > 1]:
        out.append(f"{len(several)} events were sent under more than one idempotency key")
    left = [model.__name__ for model in (Effect, Held, Slot, DeadLetter) if model.objects.exists()]
    if left:
        out.append(f"rows are left of {', '.join(left)}")
    alarms.due(1)
    for _ in range(3):
        audit()
    out += [f"alarm: {alarm}" for alarm in Alarm.objects.filter(state="open").values()]
    return out


def _disorder(destination: Destination) -> list[str]:
    """Where an event of a key was sent after a later one."""
    newest: dict[str, int] = {}
    out = []
    for slug, key, n, _ in destination.calls:
        if slug == "ordered":
            if n < newest.get(key, -1):
                out.append(f"{key}: number {n} was sent after {newest[key]}")
            newest[key] = max(n, newest.get(key, -1))
    return out
