"""Where does a thread's time go? Seconds of processor by part, counted once: in the innermost part.

Parts are functions that are wrapped where their callers look them up. Within the parts that are
named as `detailed`, each SQL statement is a part of its own.
"""

import re
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from workflows.storage import sql
from workflows.storage.sqlite.direct import Direct

_TABLE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN) workflows_(\w+)")
_VERBS = {"INSERT INTO": "insert", "UPDATE": "update", "DELETE FROM": "delete"}


class Stopwatch:
    """Install it with `with`; it sees what happens in all threads from then on."""

    def __init__(self, detailed: Collection[str] = ()) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._detailed = detailed
        self._local = threading.local()
        self._lock = threading.Lock()
        self._undo = ExitStack()

    def __enter__(self) -> "Stopwatch":
        connection_created.connect(self._watch)
        self._undo.callback(connection_created.disconnect, self._watch)
        self._watch(connections["default"])
        backend = type(connections["default"])
        self.around(backend, "_commit", lambda *_: self._within("commit"))
        self._see_direct()
        self.around(sql, "_do", lambda statement, *_: self._within(_what(statement)))
        self.around(sql, "fetch", lambda statement, *_: self._within(_what(statement)))
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def around(self, owner: Any, name: str, label: str | Callable[..., str | None]) -> None:
        """Count the time within `owner.name`, by a label or by one made of its arguments."""
        inner = getattr(owner, name)
        is_own = name in vars(owner)

        def timed(*words: Any, **named: Any) -> Any:
            told = label if isinstance(label, str) else label(*words)
            with self.part(told):
                return inner(*words, **named)

        setattr(owner, name, timed)
        if is_own:
            self._undo.callback(setattr, owner, name, inner)
        else:
            self._undo.callback(delattr, owner, name)

    @contextmanager
    def part(self, label: str | None) -> Iterator[None]:
        """Count what happens within; None leaves it to the part around it."""
        if label is None:
            yield
            return
        stack = self._stack()
        stack.append((label, 0.0))
        begun = time.thread_time()
        try:
            yield
        finally:
            taken = time.thread_time() - begun
            _, within = stack.pop()
            with self._lock:
                self.seconds[label] += taken - within
            if stack:
                outer, before = stack[-1]
                stack[-1] = (outer, before + taken)

    def _stack(self) -> list[tuple[str, float]]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack  # type: ignore[no-any-return]

    def _within(self, what: str) -> str | None:
        """A label for `what`, if it happens within a part that is looked at in detail."""
        for label, _ in reversed(self._stack()):
            if label in self._detailed:
                return f"{label}: {what}"
        return None

    def _watch(self, connection: Any, **_: Any) -> None:
        if self._statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._statement)
            self._undo.callback(connection.execute_wrappers.remove, self._statement)

    def _see_direct(self) -> None:
        opened = Direct._opened
        Direct._opened = lambda direct: _Seen(opened(direct), self._of_its_own)  # type: ignore
        self._undo.callback(setattr, Direct, "_opened", opened)

    def _of_its_own(self, query: str) -> AbstractContextManager[None]:
        return self.part(self._within(_what(query)))

    def _statement(self, execute: Any, query: str, params: Any, many: bool, context: Any) -> Any:
        with self._of_its_own(query):
            return execute(query, params, many, context)


class _Seen:
    """A connection of SQLite whose own statements are timed; those of its cursors `sql` makes."""

    def __init__(
        self, connection: sqlite3.Connection, within: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._connection, self._within = connection, within

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        with self._within(query):
            return self._connection.execute(query, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _what(query: str) -> str:
    if query.startswith("BEGIN"):
        return "begin"
    if query == "COMMIT":
        return "commit"
    if "synchronous" in query:
        return "whether to wait for the disk"
    found = _TABLE.search(query)
    if found is None:
        return "other statements"
    return f"{_VERBS.get(found[1], 'read')} {found[2]}"
