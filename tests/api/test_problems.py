"""Whatever goes wrong, the answer is a problem that says what to do."""

import base64
import json
from typing import Any

import pytest

from tests import make
from tests.api.client import nobody, person, program
from workflows.api import flows as flow_views

ERRORS: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("GET", "/api/v1/nothing", None, {}, 404, "nothing at this address"),
    ("GET", "/api/v1/flows/", None, {}, 404, "no slash"),
    ("GET", "/api", None, {}, 404, "nothing"),
    ("POST", "/api/v2/flows", {}, {}, 404, "nothing"),
    ("PUT", "/api/v1/flows", {}, {}, 405, "PUT"),
    ("OPTIONS", "/api/v1/flows", None, {}, 405, "OPTIONS"),
    ("GET", "/api/v1/flows/orders/trigger", None, {}, 405, "GET"),
    ("DELETE", "/api/v1/events", None, {}, 405, "DELETE"),
    ("POST", "/api/v1/flows", b"a,b", {"Content-Type": "text/csv"}, 415, "text/csv"),
    ("POST", "/api/v1/flows", b"{", {}, 400, "valid JSON"),
    ("POST", "/api/v1/flows", b'{"slug": NaN}', {}, 400, "valid JSON"),
    ("POST", "/api/v1/flows", b'{"slug": "\xff"}', {}, 400, "valid JSON"),
    ("POST", "/api/v1/flows", {"slug": "a\0b", "name": "x"}, {}, 400, "NUL"),
    ("POST", "/api/v1/flows", b" " * (1 << 20) + b"{}", {}, 413, "1,048,576"),
    ("GET", "/api/v1/flows?limit=0", None, {}, 400, "1 to 500"),
    ("GET", "/api/v1/flows?limit=501", None, {}, 400, "1 to 500"),
    ("GET", "/api/v1/flows?limit=many", None, {}, 400, "1 to 500"),
    ("GET", "/api/v1/flows?cursor=x", None, {}, 400, "cursor"),
    ("GET", "/api/v1/flows?cursor=%C3%BC", None, {}, 400, "cursor"),
    ("GET", "/api/v1/traces?flwo=orders", None, {}, 400, "flow, state, type"),
    ("GET", "/api/v1/traces?state=lost", None, {}, 400, "queued"),
    ("GET", "/api/v1/traces?flow=none", None, {}, 404, "no flow"),
    ("GET", "/api/v1/events?channel=none", None, {}, 404, "no channel"),
    ("GET", "/api/v1/events?type=%00", None, {}, 400, "NUL"),
    ("GET", "/api/v1/flows/%00", None, {}, 404, "nothing"),
    ("GET", "/api/v1/dead-letters?state=lost", None, {}, 400, "redriven"),
    ("GET", "/api/v1/flows?workspace=other", None, {}, 404, "main"),
    ("GET", "/api/v1/flows?workspace=%00", None, {}, 404, "main"),
    ("POST", "/api/v1/flows/import?publish=maybe", {}, {}, 400, "true or false"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "words"), ERRORS)
def test_every_error_says_what_is_wrong(
    method: str, path: str, body: Any, headers: dict[str, str], status: int, words: str
) -> None:
    make.workspace()
    assert words in program().expect(status, method, path, body, **headers)["detail"]


CURSORS = [
    [],
    {},
    [1, False],
    ["a", 0],
    ["a\0", False],
    [-1, False],
    [2**63, False],
    [None, True],
    [{"1": -1}, False],
    [{"1": "x"}, True],
    [{"1": True}, False],
    [["a"], False],
]


@pytest.mark.parametrize("cursor", CURSORS, ids=str)
@pytest.mark.parametrize("path", ["flows", "tokens", "traces", "events", "nodes"])
def test_a_cursor_that_was_tampered_with_breaks_nothing(cursor: Any, path: str) -> None:
    text = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    api = program()
    api("GET", f"{path}?cursor={text}")
    assert api.answer.status_code in (200, 400)


def test_a_wrong_method_tells_the_right_ones() -> None:
    api = program()
    api.expect(405, "GET", "flows/orders/trigger")
    assert api.answer["Allow"] == "POST"


def test_what_nobody_foresaw_is_logged_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(flow_views, "listed", explode)
    problem = program().expect(500, "GET", "flows")
    assert "inside" not in str(problem)
    assert "the inside" in caplog.text


def test_a_person_who_is_not_logged_in_is_asked_who_they_are() -> None:
    api = nobody()
    api.expect(401, "POST", "events?channel=orders", {"type": "T"})
    assert api.answer["WWW-Authenticate"].startswith("Bearer")


def test_a_person_says_which_workspace_they_mean() -> None:
    other = make.workspace("other")
    api = person("editor", other)
    api.expect(404, "GET", "flows")
    api.expect(201, "POST", "flows?workspace=other", {"slug": "a", "name": "A"})
    assert [row["slug"] for row in api.all("flows?workspace=other&limit=1")] == ["a"]


def test_any_accept_header_gets_json() -> None:
    for accept in ("text/html", "application/problem+json", "application/xml;q=0.9"):
        assert program().expect(200, "GET", "flows", Accept=accept)["results"] == []
