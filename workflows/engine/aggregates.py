"""How are many values drawn together into one, a value at a time?

What is known so far (`partial`) is plain JSON, so that it can be kept as state; None is the start.
A value of null counts for nothing but first, last and list.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

import msgspec
from pydantic import Field

from workflows.engine.event import JSON
from workflows.engine.fields import ExpressionText
from workflows.engine.node import NodeConfig, NodeError

Function = Literal["count", "sum", "min", "max", "avg", "first", "last", "list"]
MOST_ITEMS = 1_000  # of a list; and
_MOST_BYTES = 100_000


class Aggregate(NodeConfig):
    """One value drawn from all events of a group."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,31}$",
        description="The name in the result: small letters, digits and _.",
    )
    function: Function = Field(description="What to draw from the values.")
    value: ExpressionText = Field(
        default="event.data",
        description="A CEL expression; count counts what is neither null nor false.",
        examples=["event.data.amount"],
    )


def check_names(names: Sequence[str], taken: Collection[str]) -> None:
    """Raises ValueError, in words for people, unless each name stands for one value."""
    for name in names:
        if name in taken or names.count(name) > 1:
            raise ValueError(f'There is a "{name}" already: choose another name.')


def add(function: Function, partial: JSON, value: JSON) -> JSON:
    """`partial` with one value more. Raises NodeError for one that doesn't suit the function."""
    if function == "count":
        return (partial or 0) + (value is not None and value is not False)
    if function == "first":
        return partial or [value]
    if function == "last":
        return [value]
    if function == "list":
        return _append(partial or {"items": [], "bytes": 0, "left_out": 0}, value)
    if value is None:
        return partial
    if function in ("min", "max"):
        return _pick(function, value if partial is None else partial, value)
    _check_number(function, value)
    if function == "sum":
        return _storable((partial or 0) + value)
    total, n = partial or (0, 0)
    return [_storable(total + value), n + 1]


def merge(function: Function, earlier: JSON, later: JSON) -> JSON:
    """Two partials made one."""
    if earlier is None or later is None:
        return later if earlier is None else earlier
    if function in ("count", "sum"):
        return _storable(earlier + later)
    if function == "avg":
        return [_storable(earlier[0] + later[0]), earlier[1] + later[1]]
    if function in ("min", "max"):
        return _pick(function, earlier, later)
    if function == "list":
        for value in later["items"]:
            earlier = _append(earlier, value)
        return {**earlier, "left_out": earlier["left_out"] + later["left_out"]}
    return earlier if function == "first" else later


def result(function: Function, partial: JSON) -> JSON:
    """What comes out: null where there was nothing, but 0 for count and sum, [] for list."""
    if function in ("count", "sum"):
        return partial or 0
    if function == "avg":
        return partial[0] / partial[1] if partial else None
    if function == "list":
        return partial["items"] if partial else []
    return partial[0] if function in ("first", "last") and partial else partial


def left_out(partial: JSON) -> int:
    """How many values a list had no room for."""
    return int(partial["left_out"]) if isinstance(partial, dict) else 0


_PICK: dict[str, Callable[[Any, Any], Any]] = {"min": min, "max": max}


def _pick(function: str, one: JSON, other: JSON) -> JSON:
    texts = isinstance(one, str), isinstance(other, str)
    if not all(texts):
        _check_number(function, one)
        _check_number(function, other)
    return _PICK[function](one, other)


def _check_number(function: str, value: JSON) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        kind = type(value).__name__
        raise NodeError("aggregate", f"{function} needs numbers, but a value is a {kind}.")


def _storable(total: float) -> float:
    """JSON here has whole numbers of 64 bits and decimals that are finite."""
    if isinstance(total, int) and abs(total) >= 2**63:
        total = float(total)
    if not math.isfinite(total):
        raise NodeError("aggregate", "The sum is too large for a number.")
    return total


def _append(partial: dict[str, Any], value: JSON) -> dict[str, Any]:
    size = partial["bytes"] + len(msgspec.json.encode(value))
    if len(partial["items"]) >= MOST_ITEMS or size > _MOST_BYTES:
        return {**partial, "left_out": partial["left_out"] + 1}
    return {**partial, "items": [*partial["items"], value], "bytes": size}
