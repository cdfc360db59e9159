"""How does every query reach the database? Plain SQL that SQLite and PostgreSQL both take.

The few places where the two differ ask `is_postgres()`.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from django.db import connection, transaction

from workflows.storage.postgres.arrays import Array
from workflows.storage.sqlite.direct import Direct

_ROWS = (256, 64)  # in one statement: so many while there are, then the rest
_QUERIES = 100  # in one statement

Row = Any  # a tuple of what the query selects; its reader knows the types

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
}


def column(text: str, limit: int = 255) -> str:
    """Text as a narrow column keeps it, for lists and look-ups: cut, and without NUL, which
    PostgreSQL refuses. What a flow derives may be anything; the payload keeps it whole."""
    return text.replace("\x00", "\ufffd")[:limit]


class _Thread(threading.local):
    """What a thread writes on, where that isn't Django's connection."""

    direct: Direct | None = None
    begun: sqlite3.Connection | None = None  # on which `write_at_once` has begun a transaction


_thread = _Thread()


def _cursor() -> AbstractContextManager[Any]:
    return connection.cursor() if _thread.begun is None else closing(_thread.begun.cursor())


@cache
def is_postgres() -> bool:
    """Whether it is PostgreSQL; else it is SQLite. For as long as the process lives."""
    return connection.vendor == "postgresql"


def now_sql() -> str:
    """The database's clock in Unix seconds, as an SQL expression. Leases are compared with it."""
    return _NOW[connection.vendor]


def database_now() -> float:
    """The database's clock in Unix seconds."""
    return float(fetch(f"SELECT {now_sql()}")[0][0])


def fetch(sql: str, params: Sequence[Any] = ()) -> list[Row]:
    """All rows of a query (or of a statement with RETURNING)."""
    with _cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def fetch_each(query: str, params: Sequence[Sequence[Any]]) -> list[Row]:
    """All rows that a query gives for each of these `params`, in one statement for a hundred of
    them. A query that sorts or limits is put as `SELECT * FROM (…) AS name`."""
    out: list[Row] = []
    for start in range(0, len(params), _QUERIES):
        some = params[start : start + _QUERIES]
        values = [value for one in some for value in one]
        out += fetch(" UNION ALL ".join([query] * len(some)), values)
    return out


def numbers(query: str, ids: Sequence[int]) -> dict[int, int]:
    """Id -> its number, as a query gives them for these ids, which it has as `IN ({ids})`. Absent:
    it has none."""
    if not ids:
        return {}
    rows = fetch(query.format(ids=", ".join(["%s"] * len(ids))), ids)
    return {number: int(n) for number, n in rows}


def execute(sql: str, params: Sequence[Any] = ()) -> int:
    """Run one statement; how many rows it touched."""
    with _cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def equal(values: Mapping[str, str]) -> tuple[str, list[object]]:
    """` AND column = %s` for each column with a value that isn't "", and the values."""
    given = {column: value for column, value in values.items() if value}
    return "".join(f" AND {column} = %s" for column in given), list(given.values())


def insert_many(
    table: str,
    columns: str,
    rows: Sequence[Sequence[Any]],
    on_conflict: str = "",
    json: str = "",
) -> None:
    """Insert rows, many in one statement. `json` is the column that has JSON, written as text.

    With `on_conflict` ("ON CONFLICT …") no two of the rows may conflict with each other.
    """
    if rows and is_postgres():
        values = zip(columns.split(", "), zip(*rows, strict=True), strict=True)
        # A column of nothing but NULLs says nothing of its type.
        given = {name: Array(some) for name, some in values if some.count(None) < len(rows)}
        names = ", ".join(given)
        read = names.replace(json, f"{json}::jsonb") if json else names
        _do(
            f"INSERT INTO {table} ({names})"
            f" SELECT {read} FROM unnest({_marks_of(len(given))}) AS v({names}) {on_conflict}",
            list(given.values()),
        )
        return
    for part in _parts(rows):
        _do(f"INSERT INTO {table} ({columns}) VALUES {_marks(part)} {on_conflict}", _flat(part))


def update_many(
    table: str, changes: str, names: str, match: str, rows: Sequence[Sequence[Any]]
) -> list[Row]:
    """Update a row of `table` for each of `rows`: these are `v`, with columns `names`, and
    `match` finds the row to update. With "… RETURNING …" behind `match`, what it returns."""
    query = f"UPDATE {table} SET {changes} FROM v WHERE {match}"
    if "RETURNING" in match:
        return find_many(query, names, rows)
    for statement, params in _with_rows(query, names, rows):
        _do(statement, params)
    return []


def find_many(query: str, names: str, rows: Sequence[Sequence[Any]]) -> list[Row]:
    """All rows of a query that reads `rows` as `v`, with columns `names`."""
    asked = _with_rows(query, names, rows)
    return [row for statement, params in asked for row in fetch(statement, params)]


def _with_rows(
    query: str, names: str, rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """The query with its rows, and its parameters; on SQLite in parts, if they are many. One
    statement for many rows: a driver lets go of the interpreter lock for each one that it runs,
    and has to fight for it when other threads are busy."""
    if rows and is_postgres():
        columns = [Array(values) for values in zip(*rows, strict=True)]
        yield (
            f"WITH v({names}) AS (SELECT * FROM unnest({_marks_of(len(columns))})) {query}",
            columns,
        )
        return
    for part in _parts(rows):
        yield f"WITH v({names}) AS (VALUES {_marks(part)}) {query}", _flat(part)


def _parts(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """In large ones, for each statement has to get the interpreter lock back; and in few sizes, as
    each size is a statement of its own, which is to be had prepared."""
    start = 0
    for size in _ROWS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size
    if start < len(rows):
        yield rows[start:]


def _flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [*chain.from_iterable(rows)]


def _do(statement: str, params: Sequence[Any]) -> None:
    """Run one statement whose answer says nothing."""
    with _cursor() as cursor:
        cursor.execute(statement, params)


@lru_cache(maxsize=1024)
def _marks_of(columns: int) -> str:
    return ", ".join(["%s"] * columns)


def _marks(rows: Sequence[Sequence[Any]]) -> str:
    return _marks_for(len(rows), len(rows[0]))


@lru_cache(maxsize=1024)
def _marks_for(rows: int, width: int) -> str:
    one = f"({', '.join(['?'] * width)})"  # our SQLite backend takes its own marks as they are
    return ", ".join([one] * rows)


def write() -> AbstractContextManager[Any]:
    """One write transaction, kept as short as the writes in it. When it ends, it is on disk."""
    return transaction.atomic()


def write_one() -> AbstractContextManager[Any]:
    """`write` for a single statement, which is a transaction by itself."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


@contextmanager
def write_at_once() -> Iterator[bool]:
    """`write` for a thread that must not wait long, such as an event loop's; whether it has begun.
    It hasn't if somebody else goes on writing, or on PostgreSQL, where each statement is waited
    for. Takes what has SQLite's own marks only. Raises `sqlite3.Error`."""
    if is_postgres():
        yield False
        return
    if _thread.direct is None:
        _thread.direct = Direct(connection.settings_dict)
    with _thread.direct.transaction() as begun:
        _thread.begun = begun
        try:
            yield begun is not None
        finally:
            _thread.begun = None


@contextmanager
def write_soon() -> Iterator[None]:
    """One write transaction that the operating system has when it ends; on disk it is as soon as a
    later `write` is. Whatever befalls a process, nothing is lost; after a power cut the last ones
    may be, together and from the end. For what follows from what is on disk (ADR 17)."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif is_postgres():
        with transaction.atomic():
            execute("SET LOCAL synchronous_commit = off")
            yield
    else:
        execute("PRAGMA synchronous=NORMAL")
        try:
            with transaction.atomic():
                yield
        finally:
            execute("PRAGMA synchronous=FULL")
