"""How does a form refuse the names that flows can't refer to?"""

from django.core.exceptions import ValidationError

from workflows.engine import names


def check_channel(name: str) -> None:
    """Raises ValidationError for a name that no node could read or write."""
    _refuse(names.channel_refusal(name))


def check_connection(name: str) -> None:
    """Raises ValidationError for a name that no node could give."""
    _refuse(names.connection_refusal(name))


def _refuse(says: str) -> None:
    if says:
        raise ValidationError(says)
