"""Which requests go to the lean doors, and who may pass? Pure ASGI, before Django's middleware.

Only `POST`s to the events door, to triggers and to hooks are taken; a request without an
`Authorization` header isn't (it may have a session, which is Django's affair).
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from workflows.ingest.accepting import Caller, Response
from workflows.ingest.cache import Cache
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
        path = scope["path"]
        if path.startswith(_HOOK):
            return True
        if scope["method"] != "POST" or not (path == _EVENTS or _TRIGGER.match(path)):
            return False
        return any(name == b"authorization" for name, _ in scope["headers"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
            }
            response = await self._respond(scope, headers, receive)
        except Problem as problem:
            response = problem_response(problem)
        except Exception:
            log.exception("a door failed")
            response = problem_response(
                Problem(503, "The events could not be stored; none was accepted. Try again.")
            )
        await _reply(send, response)

    async def _respond(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Response:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        if path.startswith(_HOOK):
            if scope["method"] != "POST":
                raise Problem(405, "Webhooks are POSTed.", headers={"Allow": "POST"})
            body = await read_body(headers, receive)
            return await self.door.hook(path[len(_HOOK) :], headers, body)
        caller = await self._authorise(headers)
        body = await read_body(headers, receive)
        if path == _EVENTS:
            return await self.door.events(caller, query, headers, body)
        match = _TRIGGER.match(path)
        assert match is not None
        return await self.door.trigger(caller, match[1], query, headers, body)

    async def _authorise(self, headers: dict[str, str]) -> Caller:
        kind, _, token = headers["authorization"].partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Problem(
                401,
                "Send a token: Authorization: Bearer ef_…",
                headers={"WWW-Authenticate": "Bearer"},
            )
        row = await self._tokens.get(token.strip()[:200])
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


def problem_response(problem: Problem) -> Response:
    headers = problem.more.pop("headers", {})
    return Response(
        problem.status, problem.body(), "application/problem+json", tuple(headers.items())
    )


async def _reply(send: Send, response: Response) -> None:
    headers = [
        (b"content-type", response.content_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
