"""eventflow as `make run` starts it, with the two flows that are measured."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.load import Target
from tests.servers import ROOT, free_port, run_manage, wait_until
from workflows.management.installation import answers_healthy

_DONE = re.compile(
    r'^eventflow_node_events_total\{flow="(w\d)",node="in",outcome="passed"\} ([\d.e+]+)',
    re.MULTILINE,
)


def _document(slug: str, end: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "eventflow/1",
        "slug": slug,
        "name": slug.upper(),
        "nodes": [
            {"id": "in", "type": "producer.http", "name": "in", "config": {}},
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


class Product:
    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token

    def target(self, flow: str) -> Target:
        return Target(self._port, f"/api/v1/flows/{flow}/trigger", self._token)

    def batches(self) -> Target:
        return Target(self._port, "/api/v1/events?channel=orders", self._token)

    def done(self, flow: str = "w2") -> int:
        """Events of a flow whose traces are committed."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/metrics",
            headers={"Authorization": f"Bearer {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            counts = dict(_DONE.findall(answer.read().decode()))
        return int(float(counts.get(flow, 0)))


@contextmanager
def running_product(folder: Path, sink: str) -> Iterator[Product]:
    """The supervisor with a fresh home (and DATABASE_URL, if the caller has one)."""
    port, home = free_port(), folder / "home"
    environment = {
        **os.environ,
        "EVENTFLOW_HOME": str(home),
        "EVENTFLOW_HTTP_ALLOW": "127.0.0.0/8",
        "EVENTFLOW_LOG": "WARNING",
        "EVENTFLOW_DEMO": "0",
    }
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--no-demo"]
    with (folder / "eventflow.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until(lambda: answers_healthy("127.0.0.1", port), 60, "an answer of eventflow")
            yield Product(port, _prepare(folder, sink, environment))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _prepare(folder: Path, sink: str, environment: dict[str, str]) -> str:
    """Publish the flows; a token."""
    ends = {
        "w1": {"type": "consumer.http", "config": {"url": f"{sink}/order"}},
        "w2": {"type": "consumer.log", "config": {}},
    }
    documents = [_document(slug, end) for slug, end in ends.items()]
    batches = _document("w3", ends["w2"])
    batches["nodes"][0].update(type="producer.channel", config={"channel": "orders"})
    for document in (*documents, batches):
        path = folder / f"{document['slug']}.json"
        path.write_text(json.dumps(document))
        done = run_manage("flow", "import", str(path), "--publish", environment=environment)
        assert done.returncode == 0, done.stderr
    done = run_manage("token", "--scopes", "admin", environment=environment)
    return done.stdout.strip()
