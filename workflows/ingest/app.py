"""Which requests go to the lean doors, and who may pass? Pure ASGI, before Django's middleware.

Only `POST`s to the events door, to triggers and to hooks are taken; a request without an
`Authorization` header isn't (it may have a session, which is Django's affair).
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from workflows.ingest.accepting import Admitted, Caller, Response
from workflows.ingest.cache import Cache, warm
from workflows.ingest.door import Door
from workflows.ingest.problems import Problem
from workflows.ingest.reading import BODY_BYTES
from workflows.storage.people import TokenRow, find_token
from workflows.tasks.process import calm_collector

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_EVENTS = "/api/v1/events"
_TRIGGER = re.compile(r"/api/v1/flows/([A-Za-z0-9_-]{1,60})/trigger\Z")
_HOOK = "/hooks/"
_PATIENCE_BYTES = 64 * 1024 * 1024  # of a body that is refused anyway
_TOKEN_SECONDS = 2.0  # a revoked token is refused everywhere within this


class Doors:
    """The ASGI application of the doors. `takes` says whether a request is for it."""

    def __init__(self) -> None:
        self._door: Door | None = None
        self._tokens: Cache[str, TokenRow | None] = Cache(find_token, _TOKEN_SECONDS)

    @property
    def door(self) -> Door:
        """Made on the first use: threads must not start before a server has forked."""
        if self._door is None:
            calm_collector()
            self._door = Door()
        return self._door

    @staticmethod
    def takes(scope: Scope) -> bool:
        return scope["path"].startswith(_HOOK) or Doors.wants_token(scope)

    @staticmethod
    def wants_token(scope: Scope) -> bool:
        """Whether it is for a door at which programs show a token, and has one to show."""
        path = scope["path"]
        if scope["method"] != "POST" or not (path == _EVENTS or _TRIGGER.match(path)):
            return False
        return header_of(scope, b"authorization") is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, headers_of(scope), receive)
        except Exception as problem:
            response = refusal_of(problem)
        await _reply(send, response)

    async def _respond(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Response:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        if path.startswith(_HOOK):
            if scope["method"] != "POST":
                raise Problem(405, "Webhooks are POSTed.", headers={"Allow": "POST"})
            body = await read_body(headers, receive)
            return await self.door.hook(path[len(_HOOK) :], headers, body)
        await warm(lambda: self._authorise(headers))  # before a stranger's body is read
        body = await read_body(headers, receive)
        return await self.door.accept(lambda: self.admit(path, query, headers, body))

    def admit(self, path: str, query: str, headers: dict[str, str], body: bytes) -> Admitted:
        """What may be stored of a request to a door that wants a token. Raises Problem and Cold."""
        caller = self._authorise(headers)
        if path == _EVENTS:
            return self.door.admit_events(caller, query, headers, body)
        match = _TRIGGER.match(path)
        assert match is not None
        return self.door.admit_trigger(caller, match[1], query, headers, body)

    def _authorise(self, headers: dict[str, str]) -> Caller:
        kind, _, token = headers["authorization"].partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Problem(
                401,
                "Send a token: Authorization: Bearer ef_…",
                headers={"WWW-Authenticate": "Bearer"},
            )
        row = self._tokens.known(token.strip()[:200])
        if row is None:
            raise Problem(
                401,
                "This token isn't valid (any more). Make one under Settings, or with"
                " manage.py token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not row.may("events:write"):
            raise Problem(403, "This token lacks the scope events:write.")
        return Caller(row.workspace_id, row.workspace)


async def read_body(headers: dict[str, str], receive: Receive) -> bytes:
    """The whole body. One that is too large is read on and thrown away (up to a point), because a
    client that is cut off in mid-sentence never gets to see the answer."""
    length = headers.get("content-length", "")
    too_large = length.isdigit() and int(length) > BODY_BYTES
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem(400, "The connection was closed before the body had ended.")
        part = message.get("body", b"")
        size += len(part)
        too_large = too_large or size > BODY_BYTES
        if too_large:
            parts.clear()
        else:
            parts.append(part)
        if not message.get("more_body") or size > _PATIENCE_BYTES:
            break
    if too_large:
        raise Problem(413, f"At most {BODY_BYTES} bytes are taken in one request.")
    return b"".join(parts)


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first of a request's headers of this (lower-case) name."""
    for one, value in scope["headers"]:
        if one == name:
            return bytes(value)
    return None


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers, by lower-case name."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def refusal_of(problem: BaseException) -> Response:
    """The answer to a request that failed. What isn't a Problem is logged."""
    if isinstance(problem, Problem):
        return problem_response(problem)
    log.error("a door failed", exc_info=problem)
    return problem_response(
        Problem(503, "The events could not be stored; none was accepted. Try again.")
    )


def problem_response(problem: Problem) -> Response:
    headers = problem.more.pop("headers", {})
    return Response(
        problem.status, problem.body(), "application/problem+json", tuple(headers.items())
    )


def fields_of(response: Response) -> list[tuple[bytes, bytes]]:
    """An answer's header fields."""
    return [
        (b"content-type", response.content_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers
        ),
    ]


async def _reply(send: Send, response: Response) -> None:
    headers = fields_of(response)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
