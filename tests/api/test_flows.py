"""Flows, drafts and versions by the API."""

import copy
import threading
from typing import Any

import pytest
from django.db import connection

from tests import make
from tests.api.client import Api, person, program
from workflows.engine import flowfile
from workflows.models import Draft, Event, Flow
from workflows.storage import channels


def _saved(api: Api, slug: str = "orders") -> dict[str, Any]:
    """A flow with a draft that can run."""
    api.expect(201, "POST", "flows", {"slug": slug, "name": slug.title()})
    body = {"document": make.order_document(slug)}
    saved: dict[str, Any] = api.expect(200, "PUT", f"flows/{slug}/draft", body, If_Match='"1"')
    return saved


def test_a_flow_is_made_renamed_and_deleted() -> None:
    api = program("flows:write", "flows:read")
    made = api.expect(201, "POST", "flows", {"slug": "a-b", "name": "A", "description": "why"})
    assert (made["slug"], made["published"], made["paused"]) == ("a-b", None, False)
    assert api.answer["Location"] == "/api/v1/flows/a-b"
    assert api.expect(200, "PATCH", "flows/a-b", {"name": "B"})["name"] == "B"
    read = api.expect(200, "GET", "flows/a-b")
    assert (read["name"], read["description"]) == ("B", "why")
    assert api.expect(200, "GET", "flows/a-b/draft")["document"]["name"] == "B"
    assert [flow["slug"] for flow in api.all("flows")] == ["a-b"]
    assert api.expect(204, "DELETE", "flows/a-b") is None
    api.expect(404, "GET", "flows/a-b")


@pytest.mark.parametrize(("path", "field"), [("flows", "slug"), ("nodes", "type")])
def test_a_list_is_the_same_forwards_and_back(path: str, field: str) -> None:
    api = program()
    for slug in "gfedcba":
        api.expect(201, "POST", "flows", {"slug": slug, "name": slug})
    page = api.expect(200, "GET", f"{path}?limit=3")
    pages = [page]
    while page["next"]:
        page = api.expect(200, "GET", page["next"].removeprefix("http://testserver"))
        pages.append(page)
    back = [page]
    while page["previous"]:
        page = api.expect(200, "GET", page["previous"].removeprefix("http://testserver"))
        back.append(page)
    assert [page["results"] for page in reversed(back)] == [page["results"] for page in pages]
    names = [row[field] for page in pages for row in page["results"]]
    assert names == sorted(names)
    assert len(names) >= 7


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slug": "a b", "name": "A"}, "slug"),
        ({"slug": "import", "name": "A"}, "slug"),  # an address of its own
        ({"slug": "x" * 61, "name": "A"}, "slug"),
        ({"slug": "a"}, "name"),
        ({"slug": "a", "name": ""}, "name"),
        ({"slug": "a", "name": "x" * 121}, "name"),
        ({"slug": "a", "name": "A", "colour": "red"}, "colour"),
        ({"slug": ["a"], "name": "A"}, "slug"),
        (["a"], ""),
    ],
)
def test_a_bad_field_is_named(body: Any, field: str) -> None:
    problem = program().expect(422, "POST", "flows", body)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert not Flow.objects.exists()


def test_a_slug_is_given_once() -> None:
    api = program()
    api.expect(201, "POST", "flows", {"slug": "a", "name": "A"})
    assert api.expect(409, "POST", "flows", {"slug": "a", "name": "A"})["field"] == "slug"


def test_a_saved_draft_tells_what_the_editor_shows() -> None:
    saved = _saved(program())
    assert saved["revision"] == 2
    assert saved["problems"] == []
    assert saved["nodes"]["big"]["ports"] == ["match", "other", "error"]
    assert saved["changes"] == 0


def test_a_draft_is_saved_only_over_the_revision_that_was_seen() -> None:
    api = person("editor")
    _saved(api)
    body = {"document": make.order_document()}
    problem = api.expect(412, "PUT", "flows/orders/draft", body, If_Match='"1"')
    assert problem["revision"] == 2
    assert [node["id"] for node in problem["document"]["nodes"]] == ["big", "end", "in", "vat"]
    assert api.answer["ETag"] == '"2"'
    api.expect(428, "PUT", "flows/orders/draft", body)
    api.expect(412, "PUT", "flows/orders/draft", body, If_Match="2")
    assert api.expect(200, "PUT", "flows/orders/draft", body, If_Match='"2"')["revision"] == 3
    assert api.expect(200, "PUT", "flows/orders/draft", body, If_Match="*")["revision"] == 4
    assert api.expect(200, "GET", "flows/orders/draft")["revision"] == 4
    assert api.answer["ETag"] == '"4"'


def test_of_two_saves_at_once_one_wins() -> None:
    _saved(program())
    apis = [program() for _ in range(2)]
    together = threading.Barrier(2)

    def save(number: int) -> None:
        body = {"document": {**make.order_document(), "name": f"By {number}"}}
        together.wait()
        apis[number]("PUT", "flows/orders/draft", body, If_Match='"2"')
        connection.close()

    threads = [threading.Thread(target=save, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(api.answer.status_code for api in apis) == [200, 412]
    winner = [api.answer.status_code for api in apis].index(200)
    draft = Draft.objects.get()
    assert (draft.revision, draft.document["name"]) == (3, f"By {winner}")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"nodes": []}, "format"),
        ({"format": "eventflow/1", "nodes": {}}, "nodes"),
        ({"format": "eventflow/1", "nodes": [1]}, "nodes"),
        ({"format": "eventflow/1", "settings": {"a": [[[]]] * 3}, "wires": 3}, "wires"),
    ],
)
def test_what_is_no_flow_file_is_refused(document: Any, words: str) -> None:
    api = program()
    _saved(api)
    body = {"document": document}
    problem = api.expect(422, "PUT", "flows/orders/draft", body, If_Match='"2"')
    assert words in problem["detail"]
    assert Draft.objects.get().revision == 2


def test_a_draft_that_cannot_run_is_saved_but_not_published() -> None:
    api = program()
    api.expect(201, "POST", "flows", {"slug": "a", "name": "A"})
    problem = api.expect(422, "POST", "flows/a/publish", {})
    assert problem["problems"][0]["says"].startswith("A flow needs a producer")
    body = {"document": make.document("a", [("x", "filter.nothing", {})], [])}
    saved = api.expect(200, "PUT", "flows/a/draft", body, If_Match='"1"')
    assert saved["problems"]


def test_versions_are_published_listed_and_published_again() -> None:
    api = person("editor")
    _saved(api)
    assert api.expect(200, "POST", "flows/orders/publish", {"note": "First"}) == {"number": 1}
    changed = copy.deepcopy(make.order_document())
    changed["nodes"][1]["config"]["condition"] = "event.data.amount > 7"
    saved = api.expect(200, "PUT", "flows/orders/draft", {"document": changed}, If_Match='"2"')
    assert saved["changes"] == 1
    assert api.expect(200, "POST", "flows/orders/publish") == {"number": 2}
    assert api.expect(200, "POST", "flows/orders/versions/1/publish", {}) == {"number": 3}
    listed = api.all("flows/orders/versions?limit=2")
    assert [(row["number"], row["note"], row["running"]) for row in listed] == [
        (3, "Version 1 again", True),
        (2, "", False),
        (1, "First", False),
    ]
    assert listed[0]["created_by"] == "editor"
    first = api.expect(200, "GET", "flows/orders/versions/1")["document"]
    third = api.expect(200, "GET", "flows/orders/versions/3")["document"]
    assert first == third
    assert api.expect(200, "GET", "flows/orders/draft")["document"]["nodes"][0]["config"] == {
        "condition": "event.data.amount > 7"
    }
    api.expect(404, "GET", "flows/orders/versions/4")
    api.expect(404, "GET", "flows/orders/versions/99999999999999999999")


def test_publishing_asks_what_becomes_of_unread_events() -> None:
    api = program()
    _saved(api)
    api.expect(200, "POST", "flows/orders/publish", {})
    make.append(Flow.objects.get(), [make.event("e")])
    nodes = [("other", "producer.http", {}), ("end", "consumer.log", {})]
    body = {"document": make.document("orders", nodes, ["other:out end"])}
    api.expect(200, "PUT", "flows/orders/draft", body, If_Match="*")
    problem = api.expect(409, "POST", "flows/orders/publish", {})
    assert problem["field"] == "unread"
    assert [choice["value"] for choice in problem["choices"]] == ["finish", "expire"]
    assert problem["unread"] == {"in": 1}
    api.expect(422, "POST", "flows/orders/publish", {"unread": "forget"})
    done = api.expect(200, "POST", "flows/orders/publish", {problem["field"]: "finish"})
    assert done == {"number": 2}


def test_a_flow_is_paused_and_resumed() -> None:
    api = person("operator")
    make.published(make.order_document())
    assert api.expect(200, "POST", "flows/orders/state", {"paused": True}) == {"paused": True}
    assert api.expect(200, "GET", "flows/orders/state") == {"paused": True}
    assert api.expect(200, "GET", "flows/orders")["paused"] is True
    api.expect(422, "POST", "flows/orders/state", {})
    api.expect(200, "POST", "flows/orders/state", {"paused": False})
    assert not Flow.objects.get().paused


def test_a_flow_file_goes_out_and_comes_back_the_same() -> None:
    api = program("flows:write", "flows:read")
    _saved(api)
    api.expect(200, "GET", "flows/orders/export")
    text = api.answer.content.decode()
    assert api.answer["Content-Disposition"] == 'attachment; filename="orders.json"'
    assert flowfile.dumps(flowfile.loads(text)) == text
    other = program(space=make.workspace("other"))
    back = other.expect(200, "POST", "flows/import?publish=true", text.encode())
    assert back == {"slug": "orders", "number": 1}
    other.expect(200, "GET", "flows/orders/export?version=1")
    assert other.answer.content.decode() == text
    again = other.expect(200, "POST", "flows/import", text.encode())
    assert again == {"slug": "orders", "number": None}
    assert other.expect(200, "GET", "flows/orders/draft")["revision"] == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"format": "eventflow/1", "slug": "a\\u0000"}', 400),
        (b'{"format": "eventflow/2", "slug": "a"}', 422),
        (b'{"format": "eventflow/1", "slug": "a b"}', 422),
        (b'{"format": "eventflow/1", "slug": "new"}', 422),
        (b'{"format": "eventflow/1"}', 422),
        (b"[" * 2000, 400),
        (b'"' + b"x" * (1 << 20) + b'"', 413),
    ],
)
def test_a_bad_flow_file_makes_no_flow(body: bytes, status: int) -> None:
    program().expect(status, "POST", "flows/import", body)
    assert not Flow.objects.exists()


def test_totals_and_lag_are_told() -> None:
    api = program("flows:read")
    flow = make.published(make.order_document())
    make.append(flow, [make.event("e")])
    totals = api.expect(200, "GET", "flows/orders/totals")
    assert totals == {"nodes": {}, "wires": {}, "lag": 1}
    assert api.expect(200, "GET", "flows/orders")["lag"] == 1


def test_deleting_a_flow_takes_its_inbox_and_events() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("e")])
    person("owner").expect(204, "DELETE", "flows/orders")
    assert not Event.objects.exists()
    assert channels.find(make.workspace().pk, "orders.in") is None
