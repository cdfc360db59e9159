"""How does every query reach the database? Plain SQL that SQLite and PostgreSQL both take.

The few places where the two differ ask `is_postgres()`.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection, transaction

Row = Any  # a tuple of what the query selects; its reader knows the types

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
}


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
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def execute(sql: str, params: Sequence[Any] = ()) -> int:
    """Run one statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def execute_many(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run one statement for each row. Does nothing without rows."""
    rows = list(rows)
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)


def insert_many(table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows as fast as the database takes them: COPY on PostgreSQL, else executemany."""
    if not rows:
        return
    with connection.cursor() as cursor:
        if is_postgres():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def placeholders(rows: int, width: int) -> str:
    """`(%s, %s), (%s, %s)` for `rows` tuples of `width`."""
    one = f"({', '.join(['%s'] * width)})"
    return ", ".join([one] * rows)


def write() -> AbstractContextManager[Any]:
    """One write transaction, kept as short as the writes in it."""
    return transaction.atomic()
