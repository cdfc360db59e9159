"""Events, traces and dead letters by the API."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import make
from tests.api.client import person, program
from workflows.models import Channel, Event, Flow, Subscription
from workflows.storage import channels, log
from workflows.tasks.context import incoming

Work = Callable[[Flow], None]

FAILING = make.document(
    "failing",
    [
        ("in", "producer.http", {}),
        ("sum", "filter.transform", {"set": {"data.sum": "event.data.missing + 1"}}),
        ("end", "consumer.log", {}),
    ],
    ["in:out sum", "sum:out end"],
)


def _put(slug: str, ids: range, **more: Any) -> None:
    channel = channels.find(make.workspace().pk, slug)
    assert channel is not None
    for number in ids:  # one at a time, so that each has a moment of its own
        bodies = [make.event(f"e{number:03}", **more)]
        log.append([incoming(channel, body) for body in bodies], 1_000.0 + number)


@pytest.mark.parametrize("limit", [1, 7, 25, 500])
def test_events_are_listed_newest_first_forwards_and_back(limit: int) -> None:
    channels.create(make.workspace().pk, "orders", partitions=4)
    channels.create(make.workspace().pk, "others", partitions=2)
    _put("orders", range(0, 20))
    _put("others", range(20, 25))
    api = program("traces:read")
    there = [row["id"] for row in api.all(f"events?limit={limit}")]
    assert there == [f"e{number:03}" for number in reversed(range(25))]
    pages, page = [], api.expect(200, "GET", f"events?limit={limit}")
    while page["next"]:
        page = api.expect(200, "GET", page["next"].removeprefix("http://testserver"))
    pages.append(page["results"])
    while page["previous"]:
        page = api.expect(200, "GET", page["previous"].removeprefix("http://testserver"))
        pages.append(page["results"])
    assert [row["id"] for results in reversed(pages) for row in results] == there


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("channel=orders", ["e002", "e001", "e000"]),
        ("channel=others", ["e003"]),
        ("key=k", ["e003"]),
        ("type=OrderCreated&channel=orders", ["e002", "e001", "e000"]),
        ("type=Order", []),  # a whole type, not its beginning
        ("id=e001", ["e001"]),
        ("id=e001&type=Other", []),
        ("id=e001&channel=others", []),
    ],
)
def test_events_are_found_by_what_is_known_of_them(query: str, ids: list[str]) -> None:
    for slug in ("orders", "others"):
        channels.create(make.workspace().pk, slug)
    _put("orders", range(3))
    _put("others", range(3, 4), subject="k")
    assert [row["id"] for row in program().all(f"events?{query}")] == ids


def test_an_event_is_shown_whole_with_its_traces(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("e", 150)])
    api = program("traces:read")
    (row,) = api.all("events")
    assert (row["channel"], row["type"], row["key"]) == ("orders.in", "OrderCreated", "e")
    whole = api.expect(200, "GET", f"events/{row['position']}")
    assert whole["event"]["data"] == {"amount": 150}
    assert [(one["flow"], one["state"]) for one in whole["traces"]] == [("orders", "queued")]
    work(flow)
    (trace,) = api.expect(200, "GET", f"events/{row['position']}")["traces"]
    assert (trace["state"], trace["version"]) == ("ok", 1)
    for position in ("0-0-0", "1-1", "a-b-c", f"{row['position']}-1", "9" * 30 + "-0-0"):
        api.expect(404, "GET", f"events/{position}")


def test_a_trace_is_shown_with_its_steps_and_its_event(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("small", 50)])
    work(flow)
    api = person("viewer")
    (row,) = api.all("traces")
    assert (row["flow"], row["state"], row["event_id"]) == ("orders", "filtered", "small")
    assert row["path"] == ["in", "big"]
    whole = api.expect(200, "GET", f"traces/{row['id']}")
    assert whole["event"]["id"] == "small"
    assert api.expect(200, "GET", f"events/{whole['position']}")["id"] == "small"
    steps = [(step["node"], step["outcome"], step["ports"]) for step in whole["steps"]]
    assert steps == [("in", "passed", ["out"]), ("big", "filtered", ["other"])]
    assert whole["steps"][1]["why"]["condition"][0]["values"] == {"event.data.amount": 50}
    assert whole["steps"][0]["own_us"] >= 0
    api.expect(404, "GET", "traces/1-2-3")
    api.expect(404, "GET", "traces/nothing")


def test_a_flows_list_begins_with_what_is_queued(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("taken")])
    work(flow)
    make.append(flow, [make.event("waits")])
    api = program()
    rows = api.all("traces?flow=orders")
    assert [(row["event_id"], row["state"]) for row in rows] == [
        ("waits", "queued"),
        ("taken", "ok"),
    ]
    assert api.expect(200, "GET", f"traces/{rows[0]['id']}")["steps"] == []
    assert [row["event_id"] for row in api.all("traces")] == ["taken"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("state=ok", ["b3", "b1", "a2", "a0"]),
        ("state=filtered&flow=a", ["a3", "a1"]),
        ("state=failed", []),
        ("state=queued", ["waits"]),
        ("key=a1", ["a1"]),
        ("type=OrderCreated&flow=b", ["b3", "b2", "b1", "b0"]),
        ("event=b2", ["b2"]),
        ("event=b2&state=ok", []),
        ("event=waits", ["waits"]),
        ("event=b2&flow=a", []),
    ],
)
@pytest.mark.parametrize("limit", [2, 50])
def test_traces_are_found_by_what_is_known_of_them(
    work: Work, query: str, ids: list[str], limit: int
) -> None:
    flows = [make.published(make.order_document(slug)) for slug in ("a", "b")]
    for big, flow in enumerate(flows):
        for i in range(4):
            amount = 150 if i % 2 == big else 50
            make.append(flow, [make.event(f"{flow.slug}{i}", amount)])
            work(flow)
    make.append(flows[0], [make.event("waits")])
    assert [row["event_id"] for row in program().all(f"traces?limit={limit}&{query}")] == ids


def test_a_dead_letter_is_read_and_closed_once(work: Work) -> None:
    flow = make.published(FAILING)
    make.append(flow, [make.event(f"e{i}") for i in range(3)])
    work(flow)
    api = person("operator")
    rows = api.all("dead-letters?flow=failing&state=open&limit=2")
    assert [(row["node"], row["version"], row["state"]) for row in rows] == [("sum", 1, "open")] * 3
    (other,) = {row["fingerprint"] for row in rows}
    assert len(api.all(f"dead-letters?fingerprint={other}")) == 3
    assert api.all("dead-letters?fingerprint=none") == []
    first, second, _ = (row["id"] for row in rows)
    whole = api.expect(200, "GET", f"dead-letters/{first}")
    assert whole["event"]["data"] == {"amount": 150}
    assert whole["failure"]["message"] == whole["message"] != ""
    assert api.expect(200, "GET", f"traces/{whole['trace']}")["state"] == "failed"
    make.redrive(first)
    assert api.expect(200, "GET", f"dead-letters/{first}")["state"] == "redriven"
    api.expect(409, "POST", f"dead-letters/{first}/redrive")
    discarded = api.expect(200, "POST", f"dead-letters/{second}/discard")
    assert discarded["state"] == "discarded"
    api.expect(409, "POST", f"dead-letters/{second}/discard")
    api.expect(404, "GET", "dead-letters/99999999999999999999")


def test_channels_are_made_changed_and_deleted() -> None:
    api = person("owner")
    made = api.expect(
        201, "POST", "channels", {"slug": "orders", "partitions": 2, "retention_days": 30}
    )
    assert (made["partitions"], made["retention_days"], made["name"]) == (2, 30, "orders")
    api.expect(409, "POST", "channels", {"slug": "orders"})
    for body in ({"slug": "a.b"}, {"slug": "a", "partitions": 65}, {"slug": "a", "lag_limit": 0}):
        api.expect(422, "POST", "channels", body)
    api.expect(422, "PATCH", "channels/orders", {"partitions": 3})
    assert api.expect(200, "PATCH", "channels/orders", {"lag_limit": 5})["lag_limit"] == 5
    _put("orders", range(3))
    assert api.expect(200, "GET", "channels/orders")["events"] == 3
    assert [row["slug"] for row in api.all("channels")] == ["orders"]
    api.expect(204, "DELETE", "channels/orders")
    assert not Channel.objects.exists()
    assert not Event.objects.exists()


def test_a_channel_in_use_is_not_deleted(work: Work) -> None:
    nodes = [("in", "producer.channel", {"channel": "orders"}), ("end", "consumer.log", {})]
    flow = make.published(make.document("reader", nodes, ["in:out end"]))
    _put("orders", range(2))
    api = person("owner")
    channel = api.expect(200, "GET", "channels/orders")
    (reader,) = channel["readers"]
    assert (reader["flow"], reader["node"], reader["lag"]) == ("reader", "in", 2)
    assert channel["lag"] == 2
    assert "reader" in api.expect(409, "DELETE", "channels/orders")["detail"]
    work(flow)
    Subscription.objects.update(state="closed")
    api.expect(204, "DELETE", "channels/orders")
    assert api.all("traces") == []


def test_an_inbox_is_listed_but_goes_only_with_its_flow() -> None:
    make.published(make.order_document())
    api = person("owner")
    (row,) = api.all("channels")
    assert (row["slug"], row["inbox_of"]) == ("orders.in", "orders")
    api.expect(409, "DELETE", "channels/orders.in")
    assert Channel.objects.count() == 1
