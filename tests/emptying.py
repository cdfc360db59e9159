"""Which statements empty a database after a test, and leave no trace of what was in it?"""

from collections.abc import Sequence
from typing import Any

# Of a table that was never analysed PostgreSQL's planner expects at least ten pages, so that up to
# there it plans as for a new one, whatever was deleted from it.
_LEAVES_TRACES = """
    SELECT relname FROM pg_class
    WHERE relname = ANY(%s) AND relkind = 'r'
    AND (reltuples >= 0 OR pg_relation_size(oid) > 10 * current_setting('block_size')::int)
"""


def statements(connection: Any, style: Any, tables: Sequence[str], **_: Any) -> list[str]:
    """In place of `connection.ops.sql_flush`: delete from the tables that have rows; truncate the
    few that became large, or that PostgreSQL has counted."""
    with connection.cursor() as cursor:
        traced = _names(cursor, _LEAVES_TRACES, [[*tables]]) if _is_postgres(connection) else []
        asked = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in tables)
        filled = _names(cursor, " UNION ALL ".join(asked))
    deleted = [f'DELETE FROM "{name}"' for name in filled if name not in traced]
    return [*(f'TRUNCATE "{name}" CASCADE' for name in traced), *deleted]


def _is_postgres(connection: Any) -> bool:
    return bool(connection.vendor == "postgresql")


def _names(cursor: Any, query: str, values: Sequence[Any] | None = None) -> list[str]:
    cursor.execute(query, values)
    return [name for (name,) in cursor.fetchall()]
