"""How does a thread write that must not wait long, the one of an event loop? On a connection of its
own, and only when nobody else of its process is writing, and no other process for much longer.

Django's connections refuse to work where an event loop runs, for good reasons: they wait for
locks. This one hardly does. It knows SQLite's own marks only (`?`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workflows.storage.sqlite.lock import write_lock

# For another process's commit. To hand the work over to a thread takes longer: at each statement it
# gives the interpreter away, and gets it back when the others of its process let go of it.
_PATIENCE_SECONDS = 0.004


class Direct:
    """A connection that is made with the first transaction. For one thread."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: the database's, as Django has them."""
        self._path = str(settings["NAME"])
        self._lock = write_lock(self._path)
        self._options = settings["OPTIONS"]
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection | None]:
        """A write transaction; None if somebody else goes on writing. Raises `sqlite3.Error`; then,
        or when something is raised within, nothing of it is written."""
        if not self._lock.acquire_soon(_PATIENCE_SECONDS):
            yield None
            return
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
        finally:
            self._lock.release()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undo what has been begun, unless SQLite did so by itself, as it does on a full disk."""
        if not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:  # left open, it would keep everybody else from writing
            self._connection = None
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=0,  # whoever writes without taking turns isn't waited for either
                isolation_level=None,
                cached_statements=self._options["cached_statements"],
            )
            connection.executescript(f"PRAGMA foreign_keys=ON; {self._options['init_command']}")
            self._connection = connection
        return self._connection
