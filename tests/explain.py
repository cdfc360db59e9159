"""How does the database do what a function asks of it?"""

from collections.abc import Callable
from typing import Any

from django.db import connection

from workflows.storage import sql


def plan_of(call: Callable[[], Any]) -> str:
    """The plans of all queries that a call makes. PostgreSQL is told to avoid reading whole tables,
    as it would by itself if they were large; SQLite decides the same way for small ones."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, query: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((query, params))
        return execute(query, params, many, context)

    with connection.execute_wrapper(note):
        call()
    explain = "EXPLAIN" if sql.is_postgres() else "EXPLAIN QUERY PLAN"
    if sql.is_postgres():
        sql.execute("SET enable_seqscan = off")
    try:
        rows = [
            row
            for query, params in seen
            if query.lstrip().startswith(("SELECT", "WITH"))
            for row in sql.fetch(f"{explain} {query}", params or ())
        ]
    finally:
        if sql.is_postgres():
            sql.execute("RESET enable_seqscan")
    return "\n".join(str(row[-1]) for row in rows)


def reads_all_of(table: str, plan: str) -> bool:
    """Whether a plan goes through a whole table. `table` is its name, or its alias on SQLite."""
    lines = [line.strip() for line in plan.splitlines()]
    scans = (f"SCAN {table}", f"SCAN TABLE {table}")
    on_sqlite = any(line.startswith(scans) and "INDEX" not in line for line in lines)
    return on_sqlite or any("Seq Scan" in line and f" {table} " in f"{line} " for line in lines)
