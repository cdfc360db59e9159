"""Which expressions need no CEL? Those that people write most: a field, a comparison, a sum.

They are worked out in Python, on the event as it is: CEL would first take the event over and then
free it again, which costs far more than the comparison. This knows the plain cases only. Wherever
CEL would have something to say (a missing key, types that don't match, a number that gets too
large) it is `Unsure`, and CEL is asked after all. So there is one meaning of an expression: CEL's.
"""

import operator
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from workflows.engine.celtree import Call, Const, Field, Name, Tree

Direct = Callable[[Mapping[str, Any]], Any]  # the bound values -> true, false, a number or a text

_WHOLE = 2**63
_EXACT = 2**53  # beyond, a decimal number can't tell whole ones apart
_SAME = {"_==_": operator.eq, "_!=_": operator.ne}
_ORDER = {"_<_": operator.lt, "_<=_": operator.le, "_>_": operator.gt, "_>=_": operator.ge}
_SUMS = {"_+_": operator.add, "_-_": operator.sub, "_*_": operator.mul}


class Unsure(Exception):
    """CEL has to say."""


def is_whole(value: int) -> bool:
    """Whether CEL has such a number."""
    return -_WHOLE <= value < _WHOLE


def direct(tree: Tree) -> Direct | None:
    """A function that gives what CEL would give, or raises Unsure or KeyError. None where there is
    no such function."""
    try:
        return _of(tree)
    except Unsure:
        return None


def _of(tree: Tree) -> Direct:
    match tree:
        case Const(literal=bool() | int() | float() | str() as literal):
            return lambda values: literal
        case Name() | Field():
            return _path(tree)
        case Call(name, (one, other)) if name in _SAME or name in _ORDER:
            return _comparison(name, _of(one), _of(other))
        case Call(name, (one, other)) if name in _SUMS:
            return _sum(_SUMS[name], _of(one), _of(other))
        case Call("_&&_" | "_||_" as name, (one, other)):
            return _choice(name == "_||_", _of(one), _of(other))
        case Call("!_", (one,)):
            return _not(_of(one))
    raise Unsure


def _path(tree: Tree) -> Direct:
    keys: list[str] = []
    while isinstance(tree, Field):
        keys.append(tree.name)
        tree = tree.of
    if not isinstance(tree, Name) or not keys:  # all of an event is nothing plain
        raise Unsure
    name, path = tree.name, tuple(reversed(keys))

    def look_up(values: Mapping[str, Any]) -> Any:
        value = values[name]
        for key in path:
            if type(value) is not dict:
                raise Unsure
            value = value[key]
        return value

    return look_up


def _comparison(name: str, one: Direct, other: Direct) -> Direct:
    compare: Callable[[Any, Any], Any] = (_SAME | _ORDER)[name]
    kinds = (str, bool) if name in _SAME else (str,)

    def decide(values: Mapping[str, Any]) -> bool:
        left, right = one(values), other(values)
        if type(left) is not type(right) or type(left) not in kinds:
            _check_numbers(left, right)
        return bool(compare(left, right))

    return decide


def _sum(compute: Callable[[Any, Any], Any], one: Direct, other: Direct) -> Direct:
    def work_out(values: Mapping[str, Any]) -> Any:
        left, right = one(values), other(values)
        _check_numbers(left, right)
        result = compute(left, right)
        if not (isfinite(result) if type(result) is float else is_whole(result)):
            raise Unsure
        return result

    return work_out


def _check_numbers(left: Any, right: Any) -> None:
    """Raise Unsure unless both are numbers that CEL takes, and as exactly as Python does."""
    whole, decimal = type(left) is int, type(right) is float
    if whole and type(right) is int:
        if not (is_whole(left) and is_whole(right)):
            raise Unsure
    elif whole and decimal:
        if abs(left) > _EXACT:
            raise Unsure
    elif type(left) is float and type(right) is int:
        if abs(right) > _EXACT:
            raise Unsure
    elif not (type(left) is float and decimal):
        raise Unsure


def _choice(decisive: bool, one: Direct, other: Direct) -> Direct:
    def decide(values: Mapping[str, Any]) -> bool:
        for part in (one, other):
            value = part(values)
            if type(value) is not bool:
                raise Unsure
            if value is decisive:
                return decisive
        return not decisive

    return decide


def _not(one: Direct) -> Direct:
    def turn(values: Mapping[str, Any]) -> bool:
        value = one(values)
        if type(value) is not bool:
            raise Unsure
        return not value

    return turn
