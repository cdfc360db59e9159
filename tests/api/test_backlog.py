"""What a flow has still before it, as programs see it."""

import time
from collections.abc import Callable

from tests import make
from tests.api.client import program
from workflows.models import Flow

Work = Callable[[Flow], None]


def test_the_backlog_tells_what_is_unread_and_what_is_held(work: Work) -> None:
    nodes = [
        ("in", "producer.http", {}),
        ("wait", "filter.delay", {"seconds": 3_600}),
        ("end", "consumer.log", {}),
    ]
    flow = make.published(make.document("orders", nodes, ["in:out wait", "wait:out end"]))
    since = time.time()
    make.append(flow, [make.event("a"), make.event("b")])
    work(flow)
    make.append(flow, [make.event("unread")])
    backlog = program("flows:read").expect(200, "GET", "flows/orders/backlog")
    (reader,), (node,) = backlog["readers"], backlog["nodes"]
    assert (reader["node"], reader["channel"], reader["lag"]) == ("in", "orders.in", 1)
    assert (reader["lag_policy"], reader["expired"]) == ("block", 0)
    assert (node["node"], node["calls"], node["held"]) == ("wait", 0, 2)
    assert all(since - 1 < one["oldest"] < time.time() + 1 for one in (reader, node))
