"""Which names may flows have, and to which may they refer? Those that nodes can give, no others."""

import re

from pydantic import TypeAdapter, ValidationError

from workflows.engine.fields import ConnectionName, Slug

_CHANNEL: TypeAdapter[str] = TypeAdapter(Slug)
_CONNECTION: TypeAdapter[str] = TypeAdapter(ConnectionName)
_FLOW = re.compile(r"[A-Za-z0-9_-]{1,60}")
_PAGES = ("import", "new")  # addresses beside the flows'
_ENDS = "begin and end with a letter or digit."
_LONGEST_CONNECTION = 60


def flow_refusal(slug: str) -> str:
    """Why no flow can have that slug; "" when one can."""
    if not _FLOW.fullmatch(slug):
        return "Use 1 to 60 letters, digits, hyphens and underscores (no spaces)."
    return f"“{slug}” is an address of its own: choose another." if slug in _PAGES else ""


def channel_refusal(name: str) -> str:
    """Why no node could read or write a channel of that name; "" when one can."""
    if _fits(_CHANNEL, name):
        return ""
    return f"Use small letters, digits and hyphens, at most 64; {_ENDS}"


def connection_refusal(name: str) -> str:
    """Why no node could use a connection of that name; "" when one can."""
    is_short = 0 < len(name) <= _LONGEST_CONNECTION  # a node without one gives the empty name
    if is_short and _fits(_CONNECTION, name):
        return ""
    return (
        "Use small letters, digits, hyphens and underscores,"
        f" at most {_LONGEST_CONNECTION}; {_ENDS}"
    )


def _fits(adapter: TypeAdapter[str], name: str) -> bool:
    try:
        adapter.validate_python(name)
    except ValidationError:
        return False
    return True
