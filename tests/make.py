"""Plain builders: what a test needs in the database, in one call each."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.servers import wait_until
from workflows.models import Flow, Redrive, Trace, Workspace
from workflows.storage import channels, flows, log, people, publishing, redrives
from workflows.storage.deadgroups import Wanted
from workflows.tasks.context import incoming
from workflows.tasks.redrive import work_on

Node = tuple[str, str, dict[str, Any]]  # id, type, config

ORDER_NODES: tuple[Node, ...] = (
    ("in", "producer.http", {"event_type": "OrderCreated"}),
    ("big", "filter.condition", {"condition": "event.data.amount > 100"}),
    ("vat", "filter.transform", {"set": {"data.total_with_vat": "event.data.amount * 1.2"}}),
)
ORDER_WIRES = ("in:out big", "big:match vat")


def document(slug: str, nodes: Sequence[Node], wires: Sequence[str]) -> dict[str, Any]:
    """A flow file from short forms; a wire is `"from:port to"`."""
    return {
        "format": "eventflow/1",
        "slug": slug,
        "name": slug.title(),
        "nodes": [
            {"id": node_id, "type": type_id, "name": node_id, "config": config}
            for node_id, type_id, config in nodes
        ],
        "wires": [dict(zip(("from", "to"), wire.split(), strict=True)) for wire in wires],
    }


def order_document(slug: str = "orders", consumer: Node | None = None) -> dict[str, Any]:
    """HTTP in, over 100?, add VAT, and a consumer (by default one that does nothing)."""
    end = consumer or ("end", "consumer.log", {})
    return document(slug, (*ORDER_NODES, end), (*ORDER_WIRES, f"vat:out {end[0]}"))


def workspace(slug: str = "main") -> Workspace:
    return Workspace.objects.get_or_create(slug=slug, defaults={"name": slug})[0]


def published(body: Mapping[str, Any], space: Workspace | None = None) -> Flow:
    """A flow of that document, published."""
    flow = flows.import_document((space or workspace()).pk, dict(body))
    publishing.publish(flow, dict(body))
    return flow


def token(space: Workspace | None = None, *scopes: str) -> str:
    return people.create_token((space or workspace()).pk, "test", scopes or ("admin",))[0]


def event(event_id: str, amount: float = 150, **more: Any) -> dict[str, Any]:
    """A CloudEvents object as a door would pass it on."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/test",
        "type": "OrderCreated",
        "time": "2026-11-23T10:00:00Z",
        "data": {"amount": amount},
        **more,
    }


def append(flow: Flow, bodies: Sequence[Mapping[str, Any]], node: str = "in") -> list[log.Position]:
    """Put events into a producer's private inbox, as a door does."""
    channel = channels.find(flow.workspace_id, channels.inbox_slug(flow.slug, node))
    assert channel is not None
    return log.append([incoming(channel, dict(body)) for body in bodies], time.time())


def wait_for_worker() -> None:
    """Return when a worker has done something: how long it takes to start is the machine's."""
    other = published(order_document("other"))
    append(other, [event("first")])
    wait_until(lambda: Trace.objects.filter(flow=other, state="ok").exists(), 30, "a worker")


def redrive(*letters: int, **order: Any) -> Redrive:
    """Run dead letters of `main` again, in this process, up to where outcomes are waited for."""
    wanted = redrives.Order(order.pop("wanted", Wanted()), letters, **order)
    run = redrives.start(workspace().pk, "olga", wanted)
    while work_on(run.pk):
        pass
    run.refresh_from_db()
    return run


def post(url: str, body: Any, token: str | None = None, **headers: str) -> tuple[int, Any]:
    """POST JSON (or bytes as they are) to a running server: status and parsed answer."""
    import urllib.error
    import urllib.request

    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=raw, headers=sent, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, _parsed(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _parsed(error.read())


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
