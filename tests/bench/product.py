"""eventflow as `make run` starts it, with the two flows that are measured."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.load import Target
from tests.servers import ROOT, free_port, run_manage, wait_until
from workflows.management.installation import answers_healthy

Document = dict[str, Any]
LOG: Document = {"type": "consumer.log", "config": {}}


def order_flow(slug: str, end: Document, key: str = "") -> Document:
    """HTTP in, over 100?, add VAT, and that end; of a flow whose events have a key if need be."""
    return {
        "format": "eventflow/1",
        "slug": slug,
        "name": slug.upper(),
        "nodes": [
            {
                "id": "in",
                "type": "producer.http",
                "name": "in",
                "config": {"key": key} if key else {},
            },
            {
                "id": "big",
                "type": "filter.condition",
                "name": "big",
                "config": {"condition": "event.data.amount > 100"},
            },
            {
                "id": "vat",
                "type": "filter.transform",
                "name": "vat",
                "config": {"set": {"data.total_with_vat": "event.data.amount * 1.2"}},
            },
            {"id": "end", "name": "end", **end},
        ],
        "wires": [
            {"from": "in:out", "to": "big"},
            {"from": "big:match", "to": "vat"},
            {"from": "vat:out", "to": "end"},
        ],
    }


def measured_flows(sink: str) -> list[Document]:
    """W1 calls the sink, W2 calls nobody, W3 reads a channel."""
    reading = order_flow("w3", LOG)
    reading["nodes"][0].update(type="producer.channel", config={"channel": "orders"})
    call = {"type": "consumer.http", "config": {"url": f"{sink}/order"}}
    return [order_flow("w1", call), order_flow("w2", LOG), reading]


class Product:
    """A running one; `pid` is its supervisor's."""

    def __init__(self, port: int, token: str, pid: int, home: Path) -> None:
        self._port, self._token, self.pid, self._home = port, token, pid, home

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def first_password(self) -> str:
        """Of the first login, as long as nobody has changed it."""
        return (self._home / "first_login").read_text().strip()

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def target(self, flow: str) -> Target:
        return Target(self._port, f"/api/v1/flows/{flow}/trigger", self._token)

    def batches(self) -> Target:
        return Target(self._port, "/api/v1/events?channel=orders", self._token)

    def done(self, flow: str = "w2") -> int:
        """Events of a flow whose traces are committed."""
        counts = json.loads(self.get(f"/api/v1/flows/{flow}/totals"))["nodes"]
        return int(counts.get("in", {}).get("passed", 0))

    def taken(self) -> int:
        """Events that all flows together have taken. Asks the database: no process of the product
        has work by it."""
        query = "SELECT COALESCE(SUM(n), 0) FROM workflows_counter WHERE node = 'in' AND name = %s"
        url = os.environ.get("DATABASE_URL", "")
        if url.startswith("post"):
            with psycopg.connect(url) as connection:
                row = connection.execute(query, ("passed",)).fetchone()
                return int(row[0]) if row else 0
        path = f"file:{self._home / 'eventflow.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as database:
            return int(database.execute(query.replace("%s", "?"), ("passed",)).fetchone()[0])

    def get(self, path: str) -> bytes:
        """The body of an answer."""
        return self._ask(path, None)

    def post(self, path: str, body: Document) -> bytes:
        return self._ask(path, json.dumps(body).encode())

    def publish(self, document: Document) -> None:
        """Import a flow and let it run."""
        self.post("/api/v1/flows/import?publish=true", document)

    def _ask(self, path: str, body: bytes | None) -> bytes:
        headers = {**self.authorization, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base_url}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@contextmanager
def using_database(url: str) -> Iterator[None]:
    """Whatever is started meanwhile uses this one; "" is the SQLite file of its home."""
    if not url:
        yield
        return
    os.environ["DATABASE_URL"] = url
    try:
        yield
    finally:
        del os.environ["DATABASE_URL"]


@contextmanager
def running_product(
    folder: Path, sink: str, documents: list[Document] | None = None, workers: int = 0
) -> Iterator[Product]:
    """The supervisor with the home in `folder`, made if need be (and DATABASE_URL, if the caller
    has one). `documents` are published; by default those of W1, W2 and W3. `workers`: as many as
    `manage.py up` starts by itself if it is 0."""
    port, home = free_port(), folder / "home"
    environment = {
        **os.environ,
        "EVENTFLOW_HOME": str(home),
        "EVENTFLOW_HTTP_ALLOW": "127.0.0.0/8",
        "EVENTFLOW_LOG": "WARNING",
        "EVENTFLOW_DEMO": "0",
    }
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--no-demo"]
    command += ["--workers", str(workers)] if workers else []
    if documents is None:
        documents = measured_flows(sink)
    with (folder / "eventflow.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until(lambda: answers_healthy("127.0.0.1", port), 120, "an answer of eventflow")
            done = run_manage("token", "--scopes", "admin", environment=environment)
            product = Product(port, done.stdout.strip(), process.pid, home)
            for document in documents:
                product.publish(document)
            yield product
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
