"""How does every query reach the database? Plain SQL that SQLite and PostgreSQL both take.

The few places where the two differ ask `is_postgres()`.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from workflows.storage.sqlite.direct import Direct

_ROWS = 64  # in one statement
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


def is_postgres() -> bool:
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
    table: str, columns: str, rows: Sequence[Sequence[Any]], on_conflict: str = ""
) -> None:
    """Insert rows as fast as the database takes them: COPY on PostgreSQL, else many a statement.

    With `on_conflict` ("ON CONFLICT …") no two of the rows may conflict with each other.
    """
    if is_postgres() and rows and not on_conflict:
        with (
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        return
    for part in _parts(rows):
        marks = _marks(len(part), len(part[0]), _mark())
        _run(f"INSERT INTO {table} ({columns}) VALUES {marks} {on_conflict}", part)


def update_many(
    table: str, changes: str, names: str, match: str, rows: Sequence[Sequence[Any]]
) -> list[Row]:
    """Update a row of `table` for each of `rows`: these are `v`, with columns `names`, and
    `match` finds the row to update. With "… RETURNING …" behind `match`, what it returns."""
    out: list[Row] = []
    for part in _parts(rows):
        marks = _marks(len(part), len(part[0]), _mark())
        out += _run(
            f"WITH v({names}) AS (VALUES {marks})"
            f" UPDATE {table} SET {changes} FROM v WHERE {match}",
            part,
        )
    return out


def find_many(query: str, names: str, rows: Sequence[Sequence[Any]]) -> list[Row]:
    """All rows of a query that reads `rows` as `v`, with columns `names`; in parts, if many."""
    out: list[Row] = []
    for part in _parts(rows):
        marks = _marks(len(part), len(part[0]), _mark())
        out += _run(f"WITH v({names}) AS (VALUES {marks}) {query}", part)
    return out


def _parts(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def _run(statement: str, rows: Sequence[Sequence[Any]]) -> list[Row]:
    """One statement for many rows: a driver lets go of the interpreter lock once a row it steps
    through, and has to fight for it each time when other threads are busy."""
    with _cursor() as cursor:
        cursor.execute(statement, [value for row in rows for value in row])
        return list(cursor.fetchall()) if cursor.description else []


def _mark() -> str:
    return "%s" if is_postgres() else "?"  # our SQLite backend takes its own marks as they are


@lru_cache(maxsize=1024)
def _marks(rows: int, width: int, mark: str) -> str:
    one = f"({', '.join([mark] * width)})"
    return ", ".join([one] * rows)


def write() -> AbstractContextManager[Any]:
    """One write transaction, kept as short as the writes in it. When it ends, it is on disk."""
    return transaction.atomic()


@contextmanager
def write_at_once() -> Iterator[bool]:
    """`write` for a thread that must not wait, such as an event loop's; whether it has begun. It
    hasn't if somebody else is writing, or on PostgreSQL, where each statement is waited for. Takes
    what has SQLite's own marks only. Raises `sqlite3.Error`."""
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
