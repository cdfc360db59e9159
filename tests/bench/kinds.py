"""What became of 200 kinds of orders, and how does one of them look under another id?

The engine, the recorder and the settling of replies are the product's; each kind goes through them
once. Then its bytes are written again with other ids, numbers, customers and times in them.
"""

from collections import Counter
from typing import Any, NamedTuple

import msgspec
import orjson

from workflows.engine.effects import Reply
from workflows.engine.event import Event
from workflows.engine.indexing import marks_of
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.walk import Arrival, Settlement
from workflows.storage import log
from workflows.storage.channels import ChannelRow
from workflows.storage.log import Incoming
from workflows.storage.parts import FlowCommit, TraceChange, TraceRef
from workflows.tasks.context import Publisher, Surroundings
from workflows.traces.recorder import Root, Setting, first_commit, later_commit

KINDS = 200
_NUMBER = 1_000_000_000  # stands for the order's own number, which has as many digits
_ID, _CUSTOMER, _SECONDS = "@id@", "@customer@", 1111111111.25
_REF = TraceRef(0, 0, 0)


class Kind(NamedTuple):
    """One kind of order: its body, what its commits wrote, and how often what happened where."""

    body: bytes
    first: FlowCommit
    later: TraceChange | None
    counts: Counter[tuple[str, str]]


def kinds_of(plan: Plan, flow_id: int, version_id: int) -> list[Kind]:
    publisher = Publisher(0)
    setting = Setting(flow_id, version_id, plan, _SECONDS, "fill", publisher)
    return [_kind(i, setting) for i in range(KINDS)]


def _order(i: int) -> dict[str, Any]:
    """Every other one is over 100; one of them has no amount, and fails."""
    data = {
        "order_id": _NUMBER,
        "customer": _CUSTOMER,
        "amount": 101.5 + i if i % 2 else 1.5 + i % 90,
        "currency": "EUR",
        "items": [{"sku": "a", "qty": 1, "price": 10.5}, {"sku": "b", "qty": 2, "price": 3.25}],
    }
    if i == KINDS - 1:
        del data["amount"]
    return {
        "specversion": "1.0",
        "id": _ID,
        "source": "/bench",
        "type": "OrderCreated",
        "time": "2026-01-01T00:00:00Z",
        "data": data,
    }


def _kind(i: int, setting: Setting) -> Kind:
    body = _order(i)
    event = Event.from_dict(body, _SECONDS)
    root = Root(_REF, event, 0, type=event.type, key=_CUSTOMER)
    surroundings = Surroundings(setting.flow_id)
    (producer,) = setting.plan.producers
    walk = run(setting.plan, surroundings, arrivals=[Arrival(0, producer, event)])
    first = first_commit(setting, [root], walk, [False] * len(walk.asks))
    counts = _counted(first)
    if not walk.asks:
        return Kind(orjson.dumps(body), first, None, counts)
    reply = Reply(ok=True, status=200, body="ok", took_ms=1.5)
    settlements = [Settlement(ask.arrival, ask.effect, reply, 1, _SECONDS) for ask in walk.asks]
    walk = run(setting.plan, surroundings, settlements=settlements)
    closing = msgspec.structs.replace(root, closed=len(settlements))
    later = later_commit(setting, [closing], walk, [])
    return Kind(orjson.dumps(body), first, later.changes[0], counts + _counted(later))


def _counted(part: FlowCommit) -> Counter[tuple[str, str]]:
    out: Counter[tuple[str, str]] = Counter()
    for (node, _, name), n in part.counters.items():
        out[node, name] += n
    return out


class Made(NamedTuple):
    """An order of a kind, with an id, a number, a customer and a moment of its own."""

    kind: Kind
    incoming: Incoming
    number: int
    now: float

    def write(self, part: FlowCommit, later: FlowCommit, ref: TraceRef) -> None:
        """Add what the two commits of its trace wrote."""
        replace = msgspec.structs.replace
        (trace,) = self.kind.first.traces
        part.traces.append(
            replace(
                trace,
                ref=ref,
                key=self.incoming.key,
                event_id=self.incoming.event_id,
                accepted_at=self.now,
                taken_at=self.now,
                ended_at=trace.ended_at and self.now,
                steps=self._own(trace.steps),
            )
        )
        for dead in self.kind.first.dead:
            own = self._own(dead.event)
            event_id = self.incoming.event_id
            letter = replace(dead, ref=ref, event=own, event_id=event_id, dead_at=self.now)
            part.dead.append(letter)
        if self.kind.later is not None:
            steps = self._own(self.kind.later.steps)
            later.changes.append(replace(self.kind.later, ref=ref, ended_at=self.now, steps=steps))

    def _own(self, written: bytes) -> bytes:
        """What was written of the kind, for this one of it."""
        return (
            written.replace(_ID.encode(), self.incoming.event_id.encode())
            .replace(_CUSTOMER.encode(), self.incoming.key.encode())
            .replace(b"%d" % _NUMBER, b"%d" % (_NUMBER + self.number))
            .replace(b"%.2f" % _SECONDS, b"%.2f" % self.now)
        )


def made(
    kind: Kind, number: int, customer: str, prefix: str, channel: ChannelRow, now: float
) -> Made:
    """An order of that kind on its way into the channel, keyed by its customer."""
    event_id = f"{prefix}-{number}"
    incoming = Incoming(
        channel_id=channel.id,
        partition=log.partition_of(customer, channel.partitions),
        event_id=event_id,
        type="OrderCreated",
        key=customer,
        digest=log.digest_of("/bench", event_id),
        body=b"",
        keep_seconds=channel.keep_seconds,
        marks=_marks(channel, number, customer) if channel.indexed else (),
    )
    one = Made(kind, incoming, number, now)
    whole = msgspec.structs.replace(incoming, body=one._own(kind.body))
    return one._replace(incoming=whole)


def _marks(channel: ChannelRow, number: int, customer: str) -> tuple[tuple[int, int], ...]:
    data = {"order_id": _NUMBER + number, "customer": customer}
    return marks_of(channel.indexed, {"data": data}, customer)
