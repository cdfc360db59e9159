"""How does a small request to a door get its answer without a task of its own? uvicorn's HTTP, with
a short way: `uvicorn --http workflows.ingest.protocol:DoorProtocol`.

A request that is all there, and for which the caches know whatever is asked, needs nothing to be
waited for but the commit. All others go by ASGI, as do those with an access log, which is uvicorn's
own affair, and those of every server without this protocol.
"""

from typing import Any, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from workflows.ingest.accepting import Response
from workflows.ingest.app import Scope, fields_of, header_of, headers_of, refusal_of
from workflows.ingest.cache import Cold
from workflows.ingest.views import doors


class DoorProtocol(HttpToolsProtocol):
    """One connection. Of uvicorn's own it overrides when a request's task starts."""

    _held: RequestResponseCycle | None = None  # has no task yet: its body is still to come

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        is_own = app is self.app and not self.access_log
        if is_own and cycle.more_body and _is_short(cycle) and not self.flow.write_paused:
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._held is not None:
            cycle, self._held = self._held, None
            if not _take(cycle):
                super()._start_asgi_task(cycle, self.app)


def _is_short(cycle: RequestResponseCycle) -> bool:
    """Whether it is for a door that wants a token, and has a small body."""
    scope = cast(Scope, cycle.scope)
    if cycle.waiting_for_100_continue or not doors.wants_token(scope):
        return False
    length = header_of(scope, b"content-length") or b""
    return length.isdigit() and int(length) <= HIGH_WATER_LIMIT


def _take(cycle: RequestResponseCycle) -> bool:
    """Whether it is or will be answered."""
    scope = cast(Scope, cycle.scope)
    try:
        query = scope["query_string"].decode("latin-1")
        admitted = doors.admit(scope["path"], query, headers_of(scope), bytes(cycle.body))
    except Cold:
        return False
    except Exception as problem:
        _reply(cycle, refusal_of(problem))
        return True
    if admitted.wait is not None:
        return False
    doors.door.accept_soon(admitted, lambda outcome: _reply(cycle, outcome))
    return True


def _reply(cycle: RequestResponseCycle, outcome: Response | BaseException) -> None:
    """As `RequestResponseCycle.send` does it, in one piece."""
    if cycle.disconnected:
        return
    response = refusal_of(outcome) if isinstance(outcome, BaseException) else outcome
    parts = [STATUS_LINE[response.status]]
    for name, value in (*cycle.default_headers, *fields_of(response)):
        parts += (name, b": ", value, b"\r\n")
    if not cycle.keep_alive:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", response.body)
    cycle.transport.write(b"".join(parts))
    cycle.response_started = cycle.response_complete = True
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
