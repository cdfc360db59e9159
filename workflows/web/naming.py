"""Which names may flows refer to? Those that the nodes' configurations take, and no others."""

from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from pydantic import ValidationError as Unfit

from workflows.engine.fields import ConnectionName, Slug

_CHANNEL: TypeAdapter[str] = TypeAdapter(Slug)
_CONNECTION: TypeAdapter[str] = TypeAdapter(ConnectionName)


def check_channel(name: str) -> None:
    """Raises ValidationError for a name that no node could read or write."""
    _check(_CHANNEL, name, "Use small letters, digits and hyphens, such as orders-2.")


def check_connection(name: str) -> None:
    """Raises ValidationError for a name that no node could give."""
    _check(_CONNECTION, name, "Use small letters, digits, hyphens and underscores.")


def _check(adapter: TypeAdapter[str], name: str, says: str) -> None:
    try:
        adapter.validate_python(name)
    except Unfit:
        raise ValidationError(says) from None
