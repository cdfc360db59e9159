"""How does a home get millions of events and traces? `python -m tests.bench.fill --home FOLDER`

By the product's own `append` and `commit`, in large batches, so that each row and each index is as
it would be. Only the engine doesn't run a million times: it runs once for each of 200 kinds of
events, and what it made of one is written for all of that kind, under their own ids, keys and
times. Half of the events are filtered, half of the flows call an address, one event in 200 is dead.
"""

import argparse
import itertools
import math
import time
from collections import Counter
from functools import cache
from pathlib import Path

from tests.bench.own import adopt
from tests.bench.product import LOG, Document, measured_flows, order_flow

BLOCK = 1_000  # events of one flow that are written together
DAYS = 6  # over which they are spread: younger than any retention
CUSTOMERS = 10_000
OWNER = "fill"


def documents_for(flows: int, sink: str) -> list[Document]:
    """So many flows: those that are measured, and others like them."""
    call: Document = {"type": "consumer.http", "config": {"url": f"{sink}/order"}}
    others = [
        order_flow(f"f{i:03}", call if i % 2 else LOG, "event.data.customer")
        for i in range(flows - 3)
    ]
    return [*measured_flows(sink), *others]


class Flow:
    """One flow that is being filled."""

    def __init__(self, flow_id: int) -> None:
        from tests.bench.kinds import kinds_of
        from workflows.models import Cursor, Subscription
        from workflows.models import Flow as Row
        from workflows.storage import channels
        from workflows.storage.plans import load_plan

        row = Row.objects.get(pk=flow_id)
        self.id, self._slug = row.pk, row.slug
        assert row.published_id is not None
        self._version_id = row.published_id
        self._plan = load_plan(row.published_id)
        self._subscription = Subscription.objects.get(flow=row)
        self._channel = channels.by_id(self._subscription.channel_id)
        found = Cursor.objects.filter(subscription=self._subscription)
        self._epochs = dict(found.values_list("partition", "epoch"))
        self._kinds = kinds_of(self._plan, self.id, self._version_id)
        self._numbers = itertools.count(1)
        self._customers = [itertools.cycle(some) for some in _customers(self._channel.partitions)]

    def add(self, n: int, now: float) -> None:
        """Store so many events and their traces, as accepted at this moment."""
        from tests.bench.kinds import Made, made
        from workflows.storage import log
        from workflows.storage.commit import commit
        from workflows.storage.parts import CursorMove, FlowCommit, TraceRef

        items: list[Made] = []
        for i in range(n):
            kind = self._kinds[i % len(self._kinds)]
            customer = next(self._customers[i % len(self._customers)])
            items.append(made(kind, next(self._numbers), customer, self._slug, self._channel, now))
        places = log.append([one.incoming for one in items], now)
        part = FlowCommit(self.id, self._subscription.pk)
        later = FlowCommit(self.id)
        counters: Counter[tuple[str, int, str]] = Counter()
        for one, place in zip(items, places, strict=True):
            ref = TraceRef(self._subscription.pk, place.partition, place.offset)
            one.write(part, later, ref)
            for (node, name), more in one.kind.counts.items():
                counters[node, place.partition, name] += more
        part.counters = dict(counters)
        part.minutes = {int(now // 60): (n, len(part.dead))}
        spans: dict[int, list[int]] = {}
        for place in places:
            spans.setdefault(place.partition, []).append(place.offset)
        part.cursors = [
            CursorMove(partition, self._epochs[partition], min(offsets), max(offsets) + 1, 0.0)
            for partition, offsets in sorted(spans.items())
        ]
        commit([part], OWNER, now)
        if later.changes:
            commit([later], OWNER, now)


@cache
def _customers(partitions: int) -> list[list[str]]:
    """Customers by partition."""
    from workflows.storage import log

    out: list[list[str]] = [[] for _ in range(partitions)]
    for i in range(CUSTOMERS):
        out[log.partition_of(f"c-{i}", partitions)].append(f"c-{i}")
    return out


def fill(events: int, flow_ids: list[int]) -> None:
    """Spread so many events over these flows; the first three get a tenth each."""
    flows = [Flow(flow_id) for flow_id in flow_ids]
    blocks = math.ceil(events / BLOCK)
    favoured = itertools.cycle(flows[:3])
    others = itertools.cycle(flows[3:] or flows)
    begun, first = time.perf_counter(), time.time() - DAYS * 86_400
    for i in range(blocks):
        flow = next(favoured) if i % 10 < 3 else next(others)
        flow.add(min(BLOCK, events - i * BLOCK), first + i * DAYS * 86_400 / blocks)
        if (i + 1) % max(1, blocks // 10) == 0:
            taken = time.perf_counter() - begun
            print(f"{min(events, (i + 1) * BLOCK):,} events after {taken:,.0f} s", flush=True)


def prepare(flows: int, sink: str) -> list[int]:
    """Migrate, publish the flows, index a field of the channel `orders`; the flows' ids."""
    from django.core.management import call_command

    from tests import make
    from workflows.models import Channel, IndexedField
    from workflows.storage import channels, indexed, sql

    call_command("migrate", verbosity=0)
    ids = [make.published(document).pk for document in documents_for(flows, sink)]
    with sql.write():
        indexed.choose(Channel.objects.get(slug="orders"), ["data.order_id"])
    IndexedField.objects.update(missing="")  # there are no events yet
    channels.forget()
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--flows", type=int, default=200)
    parser.add_argument("--sink", default="http://127.0.0.1:9")
    words = parser.parse_args()
    words.home.mkdir(parents=True, exist_ok=True)
    adopt(words.home)
    ids = prepare(words.flows, words.sink)
    if words.events:
        fill(words.events, ids)
    from workflows.storage import sql

    if sql.is_postgres():
        sql.execute("VACUUM ANALYZE")  # as autovacuum would have done in six days


if __name__ == "__main__":
    main()
