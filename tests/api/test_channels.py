"""Channels through the API: keys that order, limits, and how far behind their readers are."""

import time

from tests import make
from tests.api import client
from tests.sending import send
from workflows.models import Subscription
from workflows.storage import channels
from workflows.tasks.drain import drain_slice

ORDERED = {
    **make.document(
        "ordered",
        [("in", "producer.channel", {"channel": "shared"}), ("end", "consumer.log", {})],
        ["in:out end"],
    ),
    "settings": {"ordering": "key"},
}


def test_a_flow_that_keeps_order_needs_channels_with_keys() -> None:
    api = client.program()
    api.expect(201, "POST", "channels", {"slug": "shared"})
    api.expect(201, "POST", "flows", {"slug": "ordered", "name": "Ordered"})
    api.expect(200, "PUT", "flows/ordered/draft", {"document": ORDERED}, If_Match='"1"')
    refused = api.expect(422, "POST", "flows/ordered/publish", {})
    assert "set the key of the channel" in refused["problems"][0]["says"]
    api.expect(422, "PATCH", "channels/shared", {"key_expression": "1 +"})
    api.expect(200, "PATCH", "channels/shared", {"key_expression": "event.data.amount"})
    assert api.expect(200, "POST", "flows/ordered/publish", {})["number"] == 1
    needed = api.expect(409, "PATCH", "channels/shared", {"key_expression": ""})
    assert "ordered" in needed["detail"]


def test_the_key_changes_only_when_nobody_waits_for_events_in_order() -> None:
    api = client.program()
    keyed = {"slug": "shared", "key_expression": "event.data.amount"}
    api.expect(201, "POST", "channels", keyed)
    make.published(ORDERED)
    send("shared", [make.event("a")])
    other = {"key_expression": "event.type"}
    assert "wait" in api.expect(409, "PATCH", "channels/shared", other)["detail"]
    drain_slice(Subscription.objects.get().pk)
    assert api.expect(200, "PATCH", "channels/shared", other)["key_expression"] == "event.type"


def test_the_key_of_an_inbox_is_set_at_its_producer() -> None:
    inbox = ("in", "producer.http", {"key": "event.data.amount"})
    body = make.document("orders", [inbox, ("end", "consumer.log", {})], ["in:out end"])
    make.published({**body, "settings": {"ordering": "key"}})
    api = client.program()
    shown = api.expect(200, "GET", "channels/orders.in")
    assert (shown["key_expression"], shown["lag_policy"]) == ("event.data.amount", "block")
    api.expect(409, "PATCH", "channels/orders.in", {"key_expression": "event.type"})


def test_a_channel_tells_how_far_behind_each_reader_is() -> None:
    channels.create(make.workspace().pk, "shared")
    make.published({**ORDERED, "settings": {}})
    since = time.time()
    send("shared", [make.event(str(n)) for n in range(5)])
    shown = client.program().expect(200, "GET", "channels/shared")
    (reader,) = shown["readers"]
    assert (reader["lag"], reader["expired"], shown["lag_policy"]) == (5, 0, "expire")
    assert since - 1 <= reader["oldest"] <= time.time()


def test_a_channel_is_told_which_fields_it_indexes() -> None:
    api = client.program()
    made = api.expect(201, "POST", "channels", {"slug": "shared", "indexed_fields": ["key"]})
    assert made["indexed_fields"] == ["key"]
    paths = ["data.order_id", "key"]
    shown = api.expect(200, "PATCH", "channels/shared", {"indexed_fields": paths})
    assert sorted(shown["indexed_fields"]) == paths
    assert [index["whole"] for index in shown["indexes"]] == [False, False]
    shown = api.expect(200, "PATCH", "channels/shared", {"retention_days": 3})
    assert sorted(shown["indexed_fields"]) == paths
    assert api.expect(200, "PATCH", "channels/shared", {"indexed_fields": []})["indexes"] == []
    for wrong in (["order_id"], ["key", "key"], [f"data.f{n}" for n in range(6)], "key"):
        api.expect(422, "PATCH", "channels/shared", {"indexed_fields": wrong})
