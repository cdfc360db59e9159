"""How do the tests talk to the API? As a program with a token, or as a person who is logged in."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from tests import make
from workflows.models import Membership, Workspace

CSRF = "a" * 32


class Api:
    """Sends JSON and reads JSON; the last answer is kept whole in `answer`."""

    def __init__(self, client: Client, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers
        self.answer: Any = None

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer's JSON (None when it has no body)."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = self._client.generic(
            method,
            path if path.startswith("/") else f"/api/v1/{path}",
            raw,
            content_type=sent.pop("Content-Type", "application/json"),
            headers={**self._headers, **sent},
        )
        return json.loads(self.answer.content) if self.answer.content else None

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """As a call, failing unless the answer has that status; a problem must be a whole one."""
        parsed = self(method, path, body, **headers)
        assert self.answer.status_code == status, (method, path, parsed)
        if status >= 400:
            assert self.answer["Content-Type"] == "application/problem+json"
            assert parsed["status"] == status
            assert parsed["type"] and parsed["title"] and parsed["detail"]
        return parsed

    @property
    def session(self) -> dict[str, str]:
        """What a browser with this session sends along to a real server."""
        cookies = "; ".join(f"{name}={one.value}" for name, one in self._client.cookies.items())
        return {"Cookie": cookies, **self._headers}

    def all(self, path: str) -> list[Any]:
        """Every row of a list, by its links."""
        rows: list[Any] = []
        following: str | None = path
        while following:
            page = self.expect(200, "GET", following.removeprefix("http://testserver"))
            rows += page["results"]
            following = page["next"]
        return rows


def program(*scopes: str, space: Workspace | None = None) -> Api:
    """A program with a token of these scopes (by default admin)."""
    return bearer(make.token(space, *scopes))


def bearer(token: str) -> Api:
    """A program with that token."""
    return Api(Client(enforce_csrf_checks=True), {"Authorization": f"Bearer {token}"})


def person(role: str, space: Workspace | None = None, name: str = "") -> Api:
    """A person with that role who is logged in, in a browser that sends the CSRF token."""
    user = get_user_model().objects.create_user(name or role, password="a long password")
    Membership.objects.create(workspace=space or make.workspace(), user=user, role=role)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.cookies["csrftoken"] = CSRF
    return Api(client, {"X-CSRFToken": CSRF})


def nobody() -> Api:
    return Api(Client(enforce_csrf_checks=True), {})
