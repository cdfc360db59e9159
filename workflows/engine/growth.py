"""How much memory could an expression take, before it takes it?

CEL works in native memory, which nothing measures before the result is there: joining a list of
half an event with the other half would make gigabytes. So what each call can make is added up from
the sizes of its inputs: never too little, and at times too much, where it can't be known.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.engine.celtree import Bind, Call, Const, Field, Loop, Made, Name, Tree

MOST_MEMORY = 134_217_728  # bytes, of one evaluation
_LARGEST_INPUT = 2_097_152  # bytes: twice what an event may have
_ITEM = 32  # bytes of a list's place for an item
_TURNS = 9_999  # of all loops of an expression
_UNKNOWN: Any = object()
_PRODUCTS = ("replace", "join", "format")  # what can take one input as many times as another has
_SCALARS = frozenset(
    (
        *("_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in"),
        *("-_", "_-_", "_*_", "_/_", "_%_", "@not_strictly_false", "has", "hasValue", "size"),
        *("contains", "startsWith", "endsWith", "matches", "indexOf", "lastIndexOf"),
        *("int", "uint", "double", "bool", "type", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    )
)
_SAME = frozenset(("_?._", "_[_]", "_[?_]", "value", "optional.of", "dyn"))  # these copy nothing


class Size(NamedTuple):
    """The most that a value can have: bytes, and items where it is a list or an object."""

    bytes: float
    items: float = 0.0
    value: Any = _UNKNOWN  # itself, where it is known
    is_text: bool = False  # it certainly is; then all that is added to it is text too


class Growth:
    """Bounds for one expression; `free` is the size of inputs that need no second look."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        free = float(_LARGEST_INPUT)
        while free > 64 and self._with_inputs_of(free) > MOST_MEMORY:
            free /= 2
        self.free = free

    @property
    def is_tame(self) -> bool:
        """Whether no input can make it take too much."""
        return self.free >= _LARGEST_INPUT

    def of(self, inputs: Mapping[str, Any]) -> float:
        """The most bytes that it can take for these inputs; 0 when that is certainly little."""
        if _length(inputs) <= self.free:
            return 0.0
        known = {name: _measured(value) for name, value in inputs.items()}
        return _Walk(lambda name: known.get(name, Size(0.0))).all_of(self._tree)

    def _with_inputs_of(self, size: float) -> float:
        return _Walk(lambda name: Size(size, size / 2)).all_of(self._tree)


class _Walk:
    """Adds up what evaluating a tree makes. `turns`: how often the current part is evaluated."""

    def __init__(self, input_of: Callable[[str], Size]) -> None:
        self._input_of = input_of
        self._bound: dict[str, Size] = {}
        self._made = 0.0
        self._turns = 1.0

    def all_of(self, tree: Tree) -> float:
        self._size(tree)
        return self._made

    def _size(self, tree: Tree) -> Size:
        match tree:
            case Const():
                text = tree.text
                if text is None:
                    return Size(8.0)
                return Size(len(text.encode()) + 8.0, 0.0, text or _UNKNOWN, is_text=True)
            case Name():
                return self._bound.get(tree.name) or self._input_of(tree.name)
            case Field():
                return _part(self._size(tree.of), tree.name)
            case Made():
                parts = [self._size(part) for part in tree.parts]
                return self._makes(_together(parts, len(parts)))
            case Bind():
                return self._within({tree.name: self._size(tree.value)}, tree.body)
            case Loop():
                return self._loop(tree)
            case Call():
                return self._call(tree)

    def _call(self, call: Call) -> Size:
        args = [self._size(arg) for arg in call.args]
        if call.name in _SCALARS or call.name.startswith("math."):
            return Size(8.0)
        if call.name == "_?_:_":
            return Size(*map(max, *(one[:2] for one in args[1:])))
        if call.name in ("_[_]", "_?._", "_[?_]") and isinstance(call.args[1], Const):
            key = call.args[1].literal
            return _part(args[0], key)
        if call.name in _SAME or not args:
            return args[0]._replace(value=_UNKNOWN) if args else Size(8.0)
        return self._makes(_RESULTS.get(call.name, _copied)(args))

    def _makes(self, size: Size) -> Size:
        self._made += (size.bytes + _ITEM * size.items) * self._turns
        return size

    def _loop(self, loop: Loop) -> Size:
        over, first = self._size(loop.over), self._size(loop.first)
        turns = min(over.items, max(1.0, _TURNS / self._turns))
        # Where sizes are only added, it doesn't matter which item has how much of all.
        item = _largest(over) if _multiplies(loop.step) else over.bytes / max(over.items, 1.0)
        self._turns *= max(turns, 1.0)
        bound = {loop.item: Size(item, item / 2), loop.total: Size(0.0)}
        one = self._within(bound, loop.step)
        self._turns /= max(turns, 1.0)
        if one.items:  # CEL copies the list that it makes at each turn
            self._made += turns * turns / 2 * _ITEM * self._turns
        grown = Size(first.bytes + turns * one.bytes, first.items + turns * one.items)
        return self._within({loop.total: grown}, loop.result)

    def _within(self, bound: dict[str, Size], tree: Tree) -> Size:
        before = self._bound
        self._bound = {**before, **bound}
        size = self._size(tree)
        self._bound = before
        return size


def _measured(value: Any) -> Size:
    if not isinstance(value, str | list | dict):
        return Size(24.0)
    items = 0 if isinstance(value, str) else len(value)
    return Size(_length(value), items, value, isinstance(value, str))


def _length(value: Any) -> int:
    try:
        return len(orjson.dumps(value, default=str))
    except (TypeError, ValueError):  # what JSON can't carry
        return len(repr(value))


def _part(size: Size, key: str | int | float | None) -> Size:
    """A field or an item of a value."""
    if isinstance(size.value, dict | list):
        try:
            return _measured(size.value[key])  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return Size(0.0)
    return Size(size.bytes, size.bytes / 2 if size.items else 0.0)


def _largest(size: Size) -> float:
    """Bytes of a list's largest item."""
    if isinstance(size.value, list):
        return max((_measured(item).bytes for item in size.value), default=0.0)
    return size.bytes


def _multiplies(tree: Tree) -> bool:
    """Whether sizes of inputs are multiplied in there."""
    if isinstance(tree, Loop) or (isinstance(tree, Call) and tree.name in _PRODUCTS):
        return True
    return any(map(_multiplies, _children(tree)))


def _children(tree: Tree) -> Sequence[Tree]:
    match tree:
        case Field():
            return (tree.of,)
        case Call():
            return tree.args
        case Made():
            return tree.parts
        case Bind():
            return (tree.value, tree.body)
    return ()


def _together(sizes: Sequence[Size], items: float) -> Size:
    return Size(sum(size.bytes for size in sizes), items)


def _copied(args: Sequence[Size]) -> Size:
    """A text or a list made from all that goes in, written out at most twice as long."""
    longer = 2 * sum(size.bytes for size in args) + 64
    return Size(longer, sum(size.items for size in args))


def _added(args: Sequence[Size]) -> Size:
    if any(size.is_text for size in args):
        return Size(sum(size.bytes for size in args), is_text=True)
    return _together(args, sum(size.items for size in args))


def _same(args: Sequence[Size]) -> Size:
    return Size(args[0].bytes + 32, is_text=True)


def _times(text: Size, part: Size) -> float:
    """How often a text can have another in it, or begin one of its characters, if that is empty."""
    if isinstance(part.value, str):
        if isinstance(text.value, str):
            return text.value.count(part.value) + 1.0
        return text.bytes / max(len(part.value.encode()), 1) + 1
    return text.bytes + 1


def _replaced(args: Sequence[Size]) -> Size:
    if len(args) < 3:
        return _copied(args)
    made = args[0].bytes + _times(args[0], args[1]) * args[2].bytes
    return Size(made, is_text=True)


def _joined(args: Sequence[Size]) -> Size:
    between = args[1].bytes if len(args) > 1 else 0.0
    return Size(args[0].bytes + args[0].items * between, is_text=True)


def _split(args: Sequence[Size]) -> Size:
    return Size(args[0].bytes, _times(args[0], args[1]) if len(args) > 1 else args[0].bytes)


def _formatted(args: Sequence[Size]) -> Size:
    """At most a thousand digits for a number, and each text at most once and twice as long."""
    return Size(_copied(args).bytes + 1_100 * args[-1].items, is_text=True)


_RESULTS: dict[str, Callable[[Sequence[Size]], Size]] = {
    "_+_": _added,
    "replace": _replaced,
    "join": _joined,
    "split": _split,
    "format": _formatted,
    **dict.fromkeys(
        ("lowerAscii", "upperAscii", "trim", "substring", "charAt", "reverse", "string", "bytes"),
        _same,
    ),
}
