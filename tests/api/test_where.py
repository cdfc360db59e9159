"""Where is my event? Every place it can be in, told in plain words."""

import time
from collections.abc import Callable

import pytest

from tests import make
from tests.api.client import program
from workflows.models import DeadLetter, Effect, Event, Flow, Held
from workflows.storage import cursors, eventpages, flows, publishing, retention
from workflows.storage.pages import Search
from workflows.storage.plans import load_plan
from workflows.storage.sought import Question, read_question

Work = Callable[[Flow], None]
END: make.Node = ("end", "consumer.log", {})


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Tests that are rolled back elsewhere leave plans whose numbers come again here."""
    load_plan.cache_clear()
    cursors.channel_of.cache_clear()
    cursors.workspace_of.cache_clear()


def places(query: str) -> list[tuple[str, str]]:
    """(what, says) of each place of the only event that fits."""
    (event,) = program("traces:read").expect(200, "GET", f"where?{query}")["events"]
    return [(place["what"], place["says"]) for place in event["places"]]


def of_kind(found: list[tuple[str, str]], what: str) -> list[str]:
    return [says for kind, says in found if kind == what]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("4711", Question(any="4711")),
        ("  customer 7 ", Question(any="customer 7")),
        ("id=4711", Question(id="4711")),
        ("id=4711 source=/shop", Question(id="4711", source="/shop")),
        ("key=customer 7 id=1", Question(key="customer 7", id="1")),
        ("4711 source=/shop", Question(any="4711", source="/shop")),
        ("paid=7", Question(any="paid=7")),
        ("", Question()),
    ],
)
def test_a_question_is_read(text: str, question: Question) -> None:
    assert read_question(text) == question


def test_an_event_that_waits_says_how_far_back_it_is() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(name, subject="7") for name in ("a", "b", "c")])
    found = places("q=c")
    assert of_kind(found, "accepted")[0].startswith("Accepted into channel orders.in, partition ")
    assert of_kind(found, "queued") == [
        "Waits for flow Orders to take it: behind 2 others in its partition."
    ]
    assert "next in its partition" in of_kind(places("id=a"), "queued")[0]
    flows.set_paused(flow, True)
    assert of_kind(places("id=b"), "queued")[0].endswith("The flow is paused.")


def test_what_was_filtered_says_why_and_what_was_delivered_where(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("small", 5), make.event("big", 500)])
    work(flow)
    assert places("q=small")[1:] == [
        ("taken", "Taken by flow Orders, version 1: filtered."),
        (
            "filtered",
            "Filtered out at “big”: event.data.amount > 100 is not met (event.data.amount = 5).",
        ),
    ]
    assert places("q=big")[1:] == [
        ("taken", "Taken by flow Orders, version 1: done."),
        ("delivered", "Delivered at “end”."),
    ]


def test_what_is_held_says_until_when(work: Work) -> None:
    body = make.document(
        "later",
        [("in", "producer.http", {}), ("wait", "filter.delay", {"seconds": 60}), END],
        ["in:out wait", "wait:out end"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    work(flow)
    (event,) = program("traces:read").expect(200, "GET", "where?q=a")["events"]
    taken, held = event["places"][1:]
    assert (taken["what"], taken["state"]) == ("taken", "running")
    assert (held["what"], held["state"], held["node"]) == ("held", "held", "wait")
    assert held["says"].startswith("Held at “wait”")
    assert held["until"] > held["at"]
    Held.objects.all().delete()
    assert of_kind(places("q=a"), "lost") == [
        "Arrivals that neither wait nor have ended: 1. See the alarms of the flow."
    ]


def test_what_waits_for_the_world_says_so(work: Work) -> None:
    call: make.Node = ("call", "consumer.http", {"url": "https://example.org/"})
    flow = make.published(make.order_document(consumer=call))
    make.append(flow, [make.event("a")])
    work(flow)
    Effect.objects.update(owner="somebody", attempt=2, due_at=time.time() + 60)
    assert of_kind(places("q=a"), "waiting") == ["Waits for the reply at “call” (attempt 2)."]
    Effect.objects.update(owner="", failure=b'{"message": "503 from there"}')
    assert of_kind(places("q=a"), "retrying") == [
        "Attempt 2 at “call” failed, and another follows: 503 from there."
    ]
    Effect.objects.update(owner="", failure=None)
    assert of_kind(places("q=a"), "waiting") == ["Waits for its turn at “call”."]
    Effect.objects.all().delete()


def test_dead_letters_and_their_redrives_are_told(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a", data={"note": "no amount"})])
    work(flow)
    found = places("q=a")
    (dead,) = of_kind(found, "dead")
    assert dead.startswith("Dead letter at “big”: ")
    mended = make.order_document()
    mended["nodes"][1]["config"] = {"condition": "!has(event.data.amount)"}
    mended["nodes"][2]["config"] = {"set": {"data.seen": "true"}}
    publishing.publish(flow, mended)
    make.redrive(DeadLetter.objects.get().pk)
    found = places("q=a")
    assert of_kind(found, "dead")[0].startswith("Dead letter that was run again at “big”: ")
    assert of_kind(found, "taken") == [
        "Taken by flow Orders, version 1: failed.",
        "Run again, as run 1, by flow Orders, version 2: done.",
    ]
    assert of_kind(found, "delivered") == ["Delivered at “end”."]


def test_what_it_caused_can_be_followed(work: Work) -> None:
    first = make.document(
        "first",
        [("in", "producer.http", {}), ("out", "consumer.channel", {"channel": "shared"})],
        ["in:out out"],
    )
    second = make.document(
        "second", [("in", "producer.channel", {"channel": "shared"}), END], ["in:out end"]
    )
    one, two = make.published(first), make.published(second)
    make.append(one, [make.event("a")])
    work(one)
    api = program("traces:read")
    (event,) = api.expect(200, "GET", "where?q=a")["events"]
    caused = event["places"][-1]
    assert caused["says"].endswith("in channel shared.")
    work(two)
    (event,) = api.expect(200, "GET", caused["url"])["events"]
    assert event["channel"] == "shared"
    assert [place["what"] for place in event["places"]] == ["accepted", "taken", "delivered"]


def test_flows_that_do_not_read_it_are_told_of(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    work(flow)
    other = make.document("orders", [("new", "producer.http", {}), END], ["new:out end"])
    make.append(flow, [make.event("b")])
    publishing.publish(flow, other, unread="expire")
    make.append(flow, [make.event("c")])
    assert of_kind(places("q=c"), "passed_by") == [
        "Flow Orders stopped reading this channel before it."
    ]
    publishing.publish(flow, make.order_document(), unread="expire")
    assert of_kind(places("q=c"), "passed_by") == [
        "Flow Orders began to read this channel after it."
    ]


def test_a_key_finds_its_newest_events_and_says_how_far_it_looked() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"a{i}", subject="7") for i in range(12)])
    make.append(flow, [make.event("b", subject="8")])
    body = program("traces:read").expect(200, "GET", "where?q=7")
    assert [event["id"] for event in body["events"]] == [f"a{i}" for i in range(11, 1, -1)]
    assert body["more"] is True
    assert body["searched_since"] is None
    assert [e["id"] for e in program().expect(200, "GET", "where?key=7&id=a3")["events"]] == ["a3"]
    assert program().expect(200, "GET", "where?key=9")["events"] == []


def test_a_search_by_key_that_takes_long_says_since_when_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(eventpages, "Search", lambda: Search(3, 0.0))
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"a{i}", subject="7") for i in range(2)])
    make.append(flow, [make.event(f"b{i}", subject="7") for i in range(4)])
    for event in Event.objects.all():
        Event.objects.filter(offset=event.offset).update(accepted_at=1_000.0 + event.offset)
    Event.objects.filter(event_id__startswith="b").update(key="8")  # of the same partition
    api = program("traces:read")
    first = api.expect(200, "GET", "where?key=7")
    assert first["events"] == []
    assert first["searched_since"] == "1970-01-01T00:16:42.000Z"
    second = api.expect(200, "GET", first["next"].removeprefix("http://testserver"))
    assert [event["id"] for event in second["events"]] == ["a1", "a0"]
    assert (second["searched_since"], second["next"]) == (None, None)


def test_the_source_tells_events_of_the_same_id_apart() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a"), make.event("a", source="/other")])
    api = program("traces:read")
    assert len(api.expect(200, "GET", "where?q=a")["events"]) == 2
    (event,) = api.expect(200, "GET", "where?id=a&source=/other")["events"]
    assert event["source"] == "/other"


@pytest.mark.parametrize("query", ["q=old", "id=old&source=/test"])
def test_what_retention_took_is_remembered(work: Work, query: str) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("old", subject="7")])
    work(flow)
    Event.objects.update(accepted_at=time.time() - 30 * 86_400)
    retention.prune()
    make.append(flow, [make.event("new", subject="7")])
    body = program("traces:read").expect(200, "GET", f"where?{query}")
    assert body["events"] == []
    (gone,) = body["gone"]
    assert gone["says"].startswith("Accepted earlier into channel orders.in (partition ")
    assert gone["until"] is not None
    assert program().expect(200, "GET", "where?q=never")["gone"] == []


def test_nothing_of_another_workspace_is_found(work: Work) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a", subject="7")])
    work(flow)
    assert not Held.objects.exists()
    elsewhere = program("traces:read", space=make.workspace("elsewhere"))
    make.published(make.order_document(), make.workspace("elsewhere"))
    for query in ("q=a", "q=7", "key=7", "id=a&source=/test"):
        body = elsewhere.expect(200, "GET", f"where?{query}")
        assert (body["events"], body["gone"]) == ([], [])


def test_an_indexed_field_finds_its_events_however_the_question_is_put(work: Work) -> None:
    api = program()
    flow = make.published(make.order_document())
    api.expect(200, "PATCH", "channels/orders.in", {"indexed_fields": ["data.amount"]})
    make.append(flow, [make.event("a", 4711), make.event("b", 4712)])
    for query in ("field=data.amount&value=4711", "q=data.amount%3D4711", "q=data.amount%3D4711.0"):
        body = api.expect(200, "GET", f"where?{query}")
        assert [event["id"] for event in body["events"]] == ["a"]
        (index,) = body["indexes"]
        assert (index["channel"], index["field"]) == ("orders.in", "data.amount")
        assert index["since"] is not None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("field=data.customer&value=7", "Indexed are data.amount (in orders.in)."),
        ("q=data.customer%3D7", "Indexed are data.amount (in orders.in)."),
        ("field=data.amount", "Say which value"),
        (f"field=data.amount&value={'7' * 1_001}", "1,000 characters"),
    ],
)
def test_a_field_that_cannot_be_looked_up_is_a_problem_that_says_why(query: str, says: str) -> None:
    make.published(make.order_document())
    api = program()
    api.expect(200, "PATCH", "channels/orders.in", {"indexed_fields": ["data.amount"]})
    assert says in api.expect(400, "GET", f"where?{query}")["detail"]


def test_fields_of_another_workspace_are_not_told_of() -> None:
    make.published(make.order_document())
    program().expect(200, "PATCH", "channels/orders.in", {"indexed_fields": ["data.amount"]})
    elsewhere = program(space=make.workspace("elsewhere"))
    told = elsewhere.expect(400, "GET", "where?field=data.amount&value=7")["detail"]
    assert "orders" not in told
