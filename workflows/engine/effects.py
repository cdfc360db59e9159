"""What may a flow ask the world to do, and what may the world answer?

An effect is data. The engine yields it, a connector performs it after the commit, and the node's
`settle` turns the reply into an outcome. Effects are stored as JSON rows between the two, so every
field is a plain JSON value.
"""

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, tag="http", tag_field="kind"):
    """One HTTP call. The performer adds `Idempotency-Key` unless `headers` already has one."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""
    timeout_seconds: float = 10.0  # for the whole call, redirects included


class Mail(msgspec.Struct, frozen=True, kw_only=True, tag="mail", tag_field="kind"):
    """One plain-text message through the site's SMTP server."""

    to: list[str]
    subject: str
    body: str
    timeout_seconds: float = 20.0


class CeleryTask(msgspec.Struct, frozen=True, kw_only=True, tag="celery_task", tag_field="kind"):
    """One task for the Celery workers of another system, sent through that system's broker."""

    name: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    queue: str = ""  # empty: the default one
    connection: str  # name of the broker
    timeout_seconds: float = 10.0


class Publish(msgspec.Struct, frozen=True, kw_only=True, tag="publish", tag_field="kind"):
    """Append `event` (a CloudEvents object) to a channel of the same workspace.

    Performed inside the transaction that commits the step: it happens exactly once.
    """

    channel: str  # slug
    event: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="kind"):
    """What a caller that waits for the flow (`?wait=`) gets. The first answer of a trace wins.

    Performed inside the transaction that commits the step.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = {}


def destination(effect: "Effect") -> str:
    """Whom an outside effect goes to: what limits and breakers count by. At most 200 characters."""
    if isinstance(effect, HttpRequest):
        parts = urlsplit(effect.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()[:200]
    if isinstance(effect, CeleryTask):
        return f"celery:{effect.connection}"[:200]
    return "mail"


Effect = HttpRequest | Mail | CeleryTask | Publish | Answer
# These become effect rows; the others are part of the commit.
OUTSIDE = (HttpRequest, Mail, CeleryTask)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The world's answer to one effect, successful or not. Bodies are cut at a bounded size."""

    ok: bool  # the connector got an answer; an HTTP 500 is `ok` with its status
    status: int = 0
    headers: dict[str, str] = {}
    body: str = ""
    error: Literal["", "timeout", "connection", "refused", "too_large", "invalid"] = ""
    message: str = ""  # for people: what happened and what to do
    took_ms: float = 0.0
