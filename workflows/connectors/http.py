"""How is an HTTP request of a flow made? With keep-alive, time-outs, bounds, and a guard."""

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult

from workflows.connectors.base import TooLate, start
from workflows.connectors.guard import Network, may_call
from workflows.engine.effects import HttpRequest, Reply

RESPONSE_LIMIT = 64 * 1024  # bytes of a response that are kept
_REDIRECTS = 5
_USER_AGENT = "eventflow/1"


class AddressRefused(OSError):
    """The guard doesn't let flows connect there."""


class _GuardedConnector(aiohttp.TCPConnector):
    def __init__(self, allowed: Sequence[Network], **options: Any) -> None:
        super().__init__(**options)
        self._allowed_networks = allowed

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        found = await super()._resolve_host(host, port, traces)
        good = [one for one in found if may_call(one["host"], self._allowed_networks)]
        if not good:
            raise AddressRefused(host)
        return good


class _TimelyRequest(aiohttp.ClientRequest):
    """Looks at the time when its bytes are to go out: connecting takes some, and so do the other
    requests of the same turn of the loop."""

    async def write_bytes(self, writer: Any, conn: Any, content_length: int | None = None) -> None:
        begun = start.get()
        if begun is not None and begun.is_too_late():
            conn.protocol.set_exception(TooLate())
        else:
            await super().write_bytes(writer, conn, content_length)


class HttpConnector:
    """Performs `HttpRequest`s. One session for the process; connections are kept alive."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector = _GuardedConnector(self._allowed, limit=128, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(
            connector=connector,
            request_class=_TimelyRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT},
            auto_decompress=True,
            trust_env=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def perform(self, effect: HttpRequest, key: str) -> Reply:
        """One call. A status of any kind is an answer; no answer at all is an `error`."""
        begun = time.perf_counter()
        try:
            reply = await self._call(effect, key)
        except TimeoutError:
            reply = Reply(
                ok=False,
                error="timeout",
                message=f"No answer within {effect.timeout_seconds:g} s from {effect.url}.",
            )
        except AddressRefused as refused:
            reply = Reply(ok=False, error="refused", message=_refusal(str(refused)))
        except (aiohttp.InvalidURL, ValueError) as problem:
            reply = Reply(ok=False, error="invalid", message=f"Cannot be sent: {problem}")
        except (aiohttp.ClientError, OSError) as problem:
            reply = _connection_reply(effect.url, problem)
        took = (time.perf_counter() - begun) * 1000
        return Reply(
            ok=reply.ok,
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            error=reply.error,
            message=reply.message,
            took_ms=took,
        )

    async def _call(self, effect: HttpRequest, key: str) -> Reply:
        assert self._session is not None, "open() first"
        headers = dict(effect.headers)
        if not any(name.lower() == "idempotency-key" for name in headers):
            headers["Idempotency-Key"] = key
        async with (
            asyncio.timeout(effect.timeout_seconds),
            self._session.request(
                effect.method,
                effect.url,
                data=effect.body.encode() if effect.body else None,
                headers=headers,
                max_redirects=_REDIRECTS,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response,
        ):
            body = await _read(response)
            return Reply(
                ok=True,
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=body.decode("utf-8", "replace"),
            )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at the limit; an unread rest closes the connection."""
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > RESPONSE_LIMIT:
            response.close()
            break
    return b"".join(parts)[:RESPONSE_LIMIT]


def _refusal(host: str) -> str:
    return (
        f"{host} is a private or local address, which flows may not call. An operator can allow"
        " its network with the setting EVENTFLOW_HTTP_ALLOW."
    )


def _connection_reply(url: str, problem: Exception) -> Reply:
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, AddressRefused):
            return Reply(ok=False, error="refused", message=_refusal(str(cause)))
        cause = getattr(cause, "os_error", None) or cause.__cause__
    return Reply(ok=False, error="connection", message=f"Cannot reach {url}: {_reason(problem)}")


def _reason(problem: Exception) -> str:
    """The operating system's words, where it is at the bottom: aiohttp puts its own around them."""
    cause = getattr(problem, "os_error", problem)
    if isinstance(cause, OSError) and cause.errno:
        named = cause.strerror if isinstance(cause, socket.gaierror) else os.strerror(cause.errno)
        return named or str(cause)
    return str(problem)
