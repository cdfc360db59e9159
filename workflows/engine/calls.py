"""What may an HTTP call of a flow look like, and what does its answer mean?"""

import re
from email.utils import parsedate_to_datetime
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator

from workflows.engine.effects import Reply
from workflows.engine.event import JSON
from workflows.engine.expression import Activation
from workflows.engine.fields import TemplateText
from workflows.engine.node import Failed, NodeError
from workflows.engine.plain import read_json
from workflows.engine.template import Template

_SHOWN_BODY = 500


def _check_url(url: str) -> str:
    if not url.startswith(("http://", "https://", "${")):
        raise ValueError("The address must begin with https:// or http://.")
    return url


def _check_header(name: str) -> str:
    if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
        raise ValueError(f'"{name}" can\'t be the name of a header.')
    return name


def _check_statuses(text: str) -> str:
    for word in _words(text):
        if not _STATUS.fullmatch(word):
            raise ValueError(f'"{word}" is no status: write 429, or 5xx for 500 to 599.')
    return ", ".join(_words(text))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").lower().split()


_STATUS = re.compile(r"[1-5](xx|\d\d)")
RETRIED = "408, 425, 429, 5xx"
StatusList = Annotated[str, AfterValidator(_check_statuses)]
UrlText = Annotated[TemplateText, AfterValidator(_check_url)]
HeaderName = Annotated[str, AfterValidator(_check_header)]


def render_url(template: Template, variables: Activation) -> str:
    """The address for this event, its values quoted."""
    return template.render_url(variables, lambda text: quote(text, safe=""))


def render_header(name: str, template: Template, variables: Activation) -> str:
    """The header's value for this event. Raises NodeError for one that would break the request."""
    value = template.render(variables)
    if any(c in value for c in "\r\n\0"):
        raise NodeError("header", f"The header {name} would have a line break in its value.")
    return value


def parse_body(reply: Reply) -> JSON:
    """The body as JSON, or the text as it is where that can't be data of an event."""
    try:
        return read_json(reply.body)
    except ValueError:
        return reply.body


def failure_of(reply: Reply, retried: str = RETRIED) -> Failed | None:
    """What an answer outside 200 to 299, or none at all, means; None for a good one.

    Time-outs and broken connections are worth another try, and the statuses in `retried`.
    """
    if reply.error:
        again = reply.error in ("timeout", "connection")
        return Failed(reply.error, reply.message or reply.error, retry=again)
    if 200 <= reply.status < 300:
        return None
    return Failed(
        f"status-{reply.status}",
        f"The receiver answered {reply.status}.",
        retry=_is_among(reply.status, retried),
        detail={"status": reply.status, "body": reply.body[:_SHOWN_BODY]},
        after_seconds=_retry_after(reply),
    )


def _is_among(status: int, listed: str) -> bool:
    return any(word in (str(status), f"{status // 100}xx") for word in _words(listed))


def _retry_after(reply: Reply) -> float:
    """Seconds of patience that the receiver asks for; a date counts from its own clock."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    wish = headers.get("retry-after", "").strip()
    if wish.isdigit():
        return float(wish)
    try:
        until = parsedate_to_datetime(wish)
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, KeyError, TypeError):
        return 0.0
