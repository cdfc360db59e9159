"""What becomes dearer as what grows? `python -m tests.bench.growth [--only flows …]`

Nodes of a flow, bytes of an event, partitions of a channel, active flows, and worker processes:
the same W2 work each time, but for what the row says. Events a second depend on who else is using
the machine; microseconds of processor hardly do.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from tests.bench import page
from tests.bench.load import Body, Target, closed_loop, order
from tests.bench.processes import spent, usage
from tests.bench.product import LOG, Document, Product, order_flow, running_product
from tests.bench.rates import CONNECTIONS, Sink, running_sink, to_the_end, with_sink

Row = list[object]


def loaded(product: Product, name: object, target: Target, events: int, body: Body) -> Row:
    """Send events until all of them are traced."""
    was = product.taken()
    warm = uvloop.run(closed_loop(target, _renamed("warm", body), 200, CONNECTIONS))
    to_the_end(warm, product.taken, was + 200)
    before = usage(product.pid)
    load = uvloop.run(closed_loop(target, body, events, CONNECTIONS))
    assert not load.refused
    figures = to_the_end(load, product.taken, was + 200 + events)
    costs = spent(before, usage(product.pid), events)
    cells = [f"{costs[name]:,.0f}" for name in ("web", "worker", "valkey")]
    return [name, f"{figures['events_per_s']:,}", *cells]


def _renamed(prefix: str, body: Body) -> Body:
    return lambda n, stamp: body(n, stamp).replace('"id":"', f'"id":"{prefix}-', 1)


def chain(slug: str, nodes: int) -> Document:
    """A flow of so many nodes in a row: conditions that all events meet, and transforms."""
    middle = [
        {
            "id": f"n{i}",
            "name": f"n{i}",
            "type": "filter.transform" if i % 2 else "filter.condition",
            "config": {"set": {"data.total": "event.data.amount * 1.2"}}
            if i % 2
            else {"condition": "event.data.amount > 0"},
        }
        for i in range(nodes - 2)
    ]
    document = order_flow(slug, LOG)
    first, end = document["nodes"][0], document["nodes"][-1]
    document["nodes"] = [first, *middle, end]
    ids = [node["id"] for node in document["nodes"]]
    ports = ["out", *("out" if i % 2 else "match" for i in range(nodes - 2))]
    document["wires"] = [
        {"from": f"{ids[i]}:{port}", "to": ids[i + 1]} for i, port in enumerate(ports)
    ]
    return document


def padded(prefix: str, size: int) -> Body:
    """Orders of so many bytes."""
    least = len(small(prefix)(100_000, ""))
    padding = "x" * max(0, size - least)
    return lambda n, stamp: small(prefix, padding)(n, stamp)


def small(prefix: str, note: str = "") -> Body:
    """Orders of about 100 bytes and a note."""

    def render(n: int, stamp: str) -> str:
        amount = 101 + n % 400 if n % 2 else 1 + n % 90
        return (
            f'{{"id":"{prefix}-{n}","source":"/b","type":"O","data":{{"amount":{amount},'
            f'"note":"{note}"}}}}'
        )

    return render


class Growth:
    """One product, to which more and more is added."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def nodes(self, events: int) -> Iterator[Row]:
        for n in (4, 20, 100):
            self._product.publish(chain(f"chain{n}", n))
            target = self._product.target(f"chain{n}")
            few = max(1_000, events * 4 // n)
            yield loaded(self._product, n, target, few, order(f"n{n}"))

    def bytes(self, events: int) -> Iterator[Row]:
        for name, size in (
            ("100 B", 100),
            ("1 KiB", 1024),
            ("16 KiB", 2**14),
            ("256 KiB", 261_000),
        ):
            slug = f"size{size}"
            self._product.publish(order_flow(slug, LOG))
            few = events if size < 2**14 else events // 4 if size == 2**14 else events // 25
            body = padded(f"s{size}", size)
            yield loaded(self._product, name, self._product.target(slug), few, body)

    def partitions(self, events: int) -> Iterator[Row]:
        for n in (1, 8, 32):
            slug = f"parts{n}"
            self._product.post("/api/v1/channels", {"slug": slug, "partitions": n})
            document = order_flow(slug, LOG)
            document["nodes"][0].update(type="producer.channel", config={"channel": slug})
            self._product.publish(document)
            target = self._product.target(slug)._replace(path=f"/api/v1/events?channel={slug}")
            yield loaded(self._product, n, target, events, order(f"p{n}"))

    def flows(self, events: int) -> Iterator[Row]:
        for n in (1, 20, 200):
            slugs = [f"active{n}x{i}" for i in range(n)]
            for slug in slugs:
                self._product.publish(order_flow(slug, LOG))
            paths = tuple(self._product.target(slug).path for slug in slugs)
            target = self._product.target(slugs[0])._replace(paths=paths)
            yield loaded(self._product, n, target, events, order(f"f{n}"))


def workers(events: int, sink: Sink, folder: Path) -> Iterator[Row]:
    for n in (1, 2, 3):
        place = folder / f"workers{n}"
        place.mkdir()
        with running_product(place, sink.url, workers=n) as product:
            row = loaded(product, n, product.target("w2"), events, order(f"w{n}"))
            before = usage(product.pid)
            called = with_sink(product.target("w1"), sink, events // 2, f"c{n}")
            costs = spent(before, usage(product.pid), events // 2)
            cells = [f"{costs[name]:,.0f}" for name in ("web", "worker")]
            yield [*row, f"{called['events_per_s']:,}", *cells]


_HEAD = ["events/s", "web, µs", "worker, µs", "valkey, µs"]
TABLES = {
    "nodes": "nodes in a flow",
    "bytes": "size of an event",
    "partitions": "partitions",
    "flows": "active flows",
}


@contextmanager
def product_of_its_own(folder: Path, sink: Sink) -> Iterator[Growth]:
    place = folder / "growth"
    place.mkdir()
    with running_product(place, sink.url, []) as product:
        yield Growth(product)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="of one measurement")
    parser.add_argument("--only", nargs="+", choices=[*TABLES, "workers"])
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    words = parser.parse_args()
    chosen = words.only or [*TABLES, "workers"]
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="eventflow-growth-") as name, running_sink() as sink:
        with product_of_its_own(Path(name), sink) as growth:
            for one in [one for one in TABLES if one in chosen]:
                rows: Iterator[Row] = getattr(growth, one)(words.events)
                texts[one] = page.table([TABLES[one], *_HEAD], list(rows))
                print(texts[one], flush=True)
        if "workers" in chosen:
            head = ["workers", *_HEAD, "W1 events/s", "web, µs", "worker, µs"]
            texts["workers"] = page.table(head, list(workers(words.events, sink, Path(name))))
    for one, text in texts.items():
        page.show(f"growth: {one}", text, words.write)


if __name__ == "__main__":
    main()
