"""Which names may flows refer to? Those that the nodes' configurations take, and no others."""

from pydantic import TypeAdapter, ValidationError

from workflows.engine.fields import ConnectionName, Slug

_CHANNEL: TypeAdapter[str] = TypeAdapter(Slug)
_CONNECTION: TypeAdapter[str] = TypeAdapter(ConnectionName)
_ENDS = "at most 64; begin and end with a letter or digit."


def channel_refusal(name: str) -> str:
    """Why no node could read or write a channel of that name; "" when one can."""
    return "" if _fits(_CHANNEL, name) else f"Use small letters, digits and hyphens, {_ENDS}"


def connection_refusal(name: str) -> str:
    """Why no node could use a connection of that name; "" when one can."""
    if name and _fits(_CONNECTION, name):  # a node without a connection gives the empty name
        return ""
    return f"Use small letters, digits, hyphens and underscores, {_ENDS}"


def _fits(adapter: TypeAdapter[str], name: str) -> bool:
    try:
        adapter.validate_python(name)
    except ValidationError:
        return False
    return True
