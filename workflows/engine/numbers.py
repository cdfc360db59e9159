"""How do whole and decimal numbers mix in CEL?

Plain CEL refuses `120 * 1.2`. JSON doesn't tell 3 from 3.0, so people can't know which they have:
the missing overloads are added, and the result is a decimal number.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

Arithmetic = Callable[[Any, Any], float]


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    # As CEL's own division of decimals does: no error, but no number either.
    return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a * math.copysign(1, b))


def _modulo(a: float, b: float) -> float:
    if not b:
        raise ValueError("modulus by zero")
    return math.fmod(a, b)


_OPERATORS: tuple[tuple[str, str, Arithmetic], ...] = (
    ("add", "_+_", operator.add),
    ("subtract", "_-_", operator.sub),
    ("multiply", "_*_", operator.mul),
    ("divide", "_/_", _divide),
    ("modulo", "_%_", _modulo),
)


def overloads(cel: Any) -> list[Any]:
    """The function declarations to add to an environment of the given CEL package."""
    whole, decimal = cel.Type.INT, cel.Type.DOUBLE
    declared = []
    for name, symbol, compute in _OPERATORS:
        pairs = [("int_double", whole, decimal), ("double_int", decimal, whole)]
        if symbol == "_%_":  # CEL has no remainder of decimals at all
            pairs.append(("double_double", decimal, decimal))
        declared.append(
            cel.FunctionDecl(
                symbol,
                [
                    cel.Overload(
                        id=f"eventflow_{name}_{suffix}",
                        return_type=decimal,
                        parameters=[left, right],
                        impl=compute,
                    )
                    for suffix, left, right in pairs
                ],
            )
        )
    return declared
