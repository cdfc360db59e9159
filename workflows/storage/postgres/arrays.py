"""How does a column of values travel to PostgreSQL as one parameter? As an array, in binary.

So a statement has the same text for any number of rows and is prepared once. psycopg's own lists
take ten times as long: they look at each value for its type, and again to write it.
The form: https://www.postgresql.org/docs/current/arrays.html and `array_recv` behind it.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer, DumperKey
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

_HEADER = struct.Struct("!iiIii")  # dimensions, has NULLs, type of an element, length, first index
_NULL = struct.pack("!i", -1)
_BOOL_PARTS = (b"\0\0\0\1\0", b"\0\0\0\1\1")
_INT, _FLOAT = struct.Struct("!iq"), struct.Struct("!id")


class _Kind(NamedTuple):
    """A type here, and as the server numbers it (catalogue `pg_type`), alone and in an array."""

    type: type
    oid: int
    array_oid: int
    write: Callable[[Sequence[Any]], Iterable[bytes]]  # of each its length in bytes, then itself


def _bytes(values: Iterable[bytes]) -> Iterable[bytes]:
    return [len(value).to_bytes(4, "big") + value for value in values]


_INT8 = _Kind(int, 20, 1016, lambda values: map(_INT.pack, repeat(8), values))
_FLOAT8 = _Kind(float, 701, 1022, lambda values: map(_FLOAT.pack, repeat(8), values))
_TEXT = _Kind(str, 25, 1009, lambda values: _bytes(map(str.encode, values)))
_BYTEA = _Kind(bytes, 17, 1001, _bytes)
_BOOL = _Kind(bool, 16, 1000, lambda values: map(_BOOL_PARTS.__getitem__, values))

_NONE = type(None)
_KINDS = {
    frozenset({int}): _INT8,
    frozenset({float}): _FLOAT8,
    frozenset({int, float}): _FLOAT8,
    frozenset({str}): _TEXT,
    frozenset({bytes}): _BYTEA,
    frozenset({bool}): _BOOL,
    frozenset(): _TEXT,  # nothing but NULL
}


class Array:
    """The parameter. Whole numbers among floats are sent as floats, and None as NULL. TypeError for
    any other values that aren't all of one type."""

    __slots__ = ("data", "kind")

    def __init__(self, values: Sequence[Any]) -> None:
        types = frozenset(map(type, values))
        kind = _KINDS.get(types - {_NONE})
        if kind is None:
            raise TypeError(f"no array of {sorted(one.__name__ for one in types)}")
        if _NONE in types:
            written = iter(kind.write([value for value in values if value is not None]))
            parts = [_NULL if value is None else next(written) for value in values]
        elif len(values) > 1 and values.count(values[0]) == len(values):  # as many columns are
            parts = [*kind.write(values[:1])] * len(values)
        else:
            parts = [*kind.write(values)]
        self.kind = kind
        self.data = _HEADER.pack(1, _NONE in types, kind.oid, len(parts), 1) + b"".join(parts)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def get_key(self, obj: Array, format: PyFormat) -> DumperKey:
        return (self.cls, obj.kind.type)

    def upgrade(self, obj: Array, format: PyFormat) -> "_ArrayDumper":
        dumper = _ArrayDumper(self.cls)
        dumper.oid = obj.kind.array_oid
        return dumper

    def dump(self, obj: Array) -> Buffer:
        return obj.data


psycopg.adapters.register_dumper(Array, _ArrayDumper)  # for connections made from now on
