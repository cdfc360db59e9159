"""How is one page cut from rows that have a unique field to go by?"""

from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


class Beyond(NamedTuple):
    """Where a page begins: behind the row with this key (None: at the end of the list), and
    whether it goes back from there."""

    key: Any = None
    backwards: bool = False


def page(
    found: QuerySet[Row], field: str, beyond: Beyond, limit: int, *, newest_first: bool = False
) -> tuple[list[Row], bool]:
    """The rows of a page in the list's order, and whether there are more beyond them."""
    falling = newest_first is not beyond.backwards
    if beyond.key is not None:
        found = found.filter(**{f"{field}__{'lt' if falling else 'gt'}": beyond.key})
    rows = list(found.order_by(f"-{field}" if falling else field)[: limit + 1])
    shown = rows[:limit]
    return shown[::-1] if beyond.backwards else shown, len(rows) > limit
