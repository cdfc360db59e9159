"""Of which calls and loops does a checked CEL expression consist?

Read from the form in which the package hands out checked expressions: `cel.expr.CheckedExpr` of
the CEL specification, in protocol buffers' wire format. Only what bounds need is kept.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple, Union

Tree = Union["Const", "Name", "Field", "Call", "Made", "Bind", "Loop"]


class Const(NamedTuple):
    """A literal: itself, if it is of a kind that JSON has too, and its text, also of bytes."""

    literal: bool | int | float | str | None = None
    text: str | None = None


class Name(NamedTuple):
    name: str


class Field(NamedTuple):
    """`of.name`."""

    of: Tree
    name: str


class Call(NamedTuple):
    """A function or an operator; what it is a method of is its first argument."""

    name: str
    args: tuple[Tree, ...]


class Made(NamedTuple):
    """A list or an object that is written out."""

    parts: tuple[Tree, ...]


class Bind(NamedTuple):
    """`cel.bind(name, value, body)`."""

    name: str
    value: Tree
    body: Tree


class Loop(NamedTuple):
    """`map`, `filter`, `exists` and the like: `total` begins as `first` and becomes `step`."""

    item: str
    over: Tree
    total: str
    first: Tree
    step: Tree
    result: Tree


def read(serialised: bytes) -> Tree:
    """The tree of an expression as `serialize()` gives it."""
    checked = dict(_fields(serialised))[2]  # of google.protobuf.Any
    return _tree(_bytes(dict(_fields(_bytes(checked)))[4]))


def _tree(raw: bytes) -> Tree:
    for number, value in _fields(raw):
        if number in _KINDS and isinstance(value, bytes):
            return _KINDS[number](value)
    return Const()


def _const(raw: bytes) -> Tree:
    for number, value in _fields(raw):
        if number == 2:
            return Const(bool(value))
        if number == 3 and isinstance(value, int):
            return Const(value - (1 << 64) if value >> 63 else value)
        if number == 5:
            return Const(float(struct.unpack("<d", _bytes(value))[0]))
        if number == 6:
            return Const(_text(value), _text(value))
        if number == 7:
            return Const(text=_bytes(value).decode(errors="replace"))
    return Const()


def _name(raw: bytes) -> Tree:
    return Name(_text(dict(_fields(raw)).get(1, b"")))


def _field(raw: bytes) -> Tree:
    parts = dict(_fields(raw))
    if parts.get(3):  # has(…)
        return Call("has", ())
    return Field(_tree(_bytes(parts[1])), _text(parts[2]))


def _call(raw: bytes) -> Tree:
    name, args = "", []
    for number, value in _fields(raw):
        if number == 2:
            name = _text(value)
        else:
            args.append(_tree(_bytes(value)))
    return Call(name, tuple(args))


def _list(raw: bytes) -> Tree:
    return Made(tuple(_tree(_bytes(value)) for number, value in _fields(raw) if number == 1))


def _object(raw: bytes) -> Tree:
    entries = [_bytes(value) for number, value in _fields(raw) if number == 2]
    parts = [
        _tree(_bytes(value))
        for entry in entries
        for number, value in _fields(entry)
        if number in (3, 4) and isinstance(value, bytes)
    ]
    return Made(tuple(parts))


def _loop(raw: bytes) -> Tree:
    parts = {number: value for number, value in _fields(raw) if isinstance(value, bytes)}
    item, total = _text(parts[1]), _text(parts[3])
    over, first, step, result = (_tree(parts[number]) for number in (2, 4, 6, 7))
    if over == Made(()):
        return Bind(total, first, result)
    return Loop(item, over, total, first, step, result)


_KINDS = {3: _const, 4: _name, 5: _field, 6: _call, 7: _list, 8: _object, 9: _loop}


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(raw, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(raw, at)
        yield tag >> 3, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()
