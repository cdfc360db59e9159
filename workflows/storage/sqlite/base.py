"""The backend itself: `BEGIN IMMEDIATE` waits for its turn, commit and rollback give it back."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base

from workflows.storage.sqlite.lock import WriteLock, write_lock

_READS = ("SELECT", "PRAGMA", "EXPLAIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
_CHANGE = re.compile(r"\b(?:INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _writes(query: str) -> bool:
    """One that begins with rows of its own, as those of `sql.find_many` do, may be either: it is a
    read if it has no word of a change, be it as a name."""
    start = query.lstrip()[:9].upper()
    return bool(_CHANGE.search(query)) if start.startswith("WITH") else not start.startswith(_READS)


class CursorWrapper(base.SQLiteCursorWrapper):
    """Gives single statements outside a transaction a turn of their own."""

    database: "DatabaseWrapper"

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        """A query that has SQLite's own marks already is left as it is."""
        return query if "%" not in query else super().convert_query(query, param_names=param_names)

    def execute(self, query: str, params: Any = None) -> Any:
        if self.database.turn_needed(query):
            with self.database.one_turn():
                return super().execute(query, params)
        return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        if self.database.turn_needed(query):
            with self.database.one_turn():
                return super().executemany(query, param_list)
        return super().executemany(query, param_list)


class _Turn:
    def __init__(self, lock: WriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class DatabaseWrapper(base.DatabaseWrapper):
    _has_turn = False
    _turns: WriteLock | None = None

    def get_connection_params(self) -> dict[str, Any]:
        """A file that is made now will be able to give free pages back (see `storage.shrink`). It
        has to be the first thing said, and to older files it would be one more write."""
        params: dict[str, Any] = super().get_connection_params()
        path = Path(str(self.settings_dict["NAME"]))
        if not path.exists() or not path.stat().st_size:
            first = "PRAGMA auto_vacuum = incremental"
            self.init_commands: list[str] = [first, *self.init_commands]
        return params

    def turn_needed(self, query: str) -> bool:
        return not self._has_turn and not self.in_atomic_block and _writes(query)

    def one_turn(self) -> _Turn:
        return _Turn(self._lock())

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = self.connection.cursor(factory=CursorWrapper)
        cursor.database = self
        return cursor

    def _lock(self) -> WriteLock:
        if self._turns is None:
            self._turns = write_lock(str(self.settings_dict["NAME"]))
        return self._turns

    def _start_transaction_under_autocommit(self) -> None:
        lock = self._lock()
        lock.acquire()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            lock.release()
            raise
        self._has_turn = True

    def _give_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._lock().release()

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # when it raises, Django rolls back next, which gives the turn back
        self._give_back()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_back()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._give_back()
