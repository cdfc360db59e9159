"""What do nodes that call the world share? Their fields, what an HTTP call may look like, and what
its answer means."""

import re
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from workflows.engine.effects import Reply
from workflows.engine.event import JSON
from workflows.engine.expression import Activation
from workflows.engine.fields import TemplateText
from workflows.engine.limits import NO_LIMITS, Limits
from workflows.engine.node import Failed, NodeConfig, NodeError
from workflows.engine.plain import read_json
from workflows.engine.retry import RetryPolicy
from workflows.engine.template import Template

_SHOWN_BODY = 500


class CallConfig(NodeConfig):
    """Base of the `Config` of each node type that calls the world."""

    retry: RetryPolicy = Field(
        default=RetryPolicy(), description="How often a failed call is made again."
    )
    limits: Limits = Field(default=NO_LIMITS, description="How many calls go out.")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema with a node's own fields first: forms show them in this order."""
        schema = handler(core_schema)
        fields = handler.resolve_ref_schema(schema)["properties"]
        for name in CallConfig.model_fields:
            fields[name] = fields.pop(name)
        return schema


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
StatusList = Annotated[
    str,
    AfterValidator(_check_statuses),
    Field(
        max_length=200,
        title="Answers to retry",
        description="Answers that are worth another try, besides none at all.",
    ),
]
UrlText = Annotated[
    TemplateText,
    AfterValidator(_check_url),
    Field(
        min_length=1,
        max_length=2_000,
        description="The address; ${…} fills in values, which are quoted.",
    ),
]
Headers = Annotated[
    dict[Annotated[str, AfterValidator(_check_header)], TemplateText],
    Field(
        max_length=50,
        description="Header name → value; ${…} fills in values.",
        json_schema_extra={"widget": "keyvalue", "value": "template"},
    ),
]
TimeOut = Annotated[float, Field(gt=0, le=60, description="How long to wait for the answer.")]


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
