"""How does a form refuse a name that can't be one?"""

from collections.abc import Callable

from django.core.exceptions import ValidationError


def refusing(refusal: Callable[[str], str]) -> Callable[[str], None]:
    """A validator from a rule that says why a name is refused, or nothing."""

    def check(name: str) -> None:
        if says := refusal(name):
            raise ValidationError(says)

    return check
