"""How does the disk get its space back? SQLite keeps what was deleted for what comes next.

A new database file can give free pages back a few at a time (`sqlite.base` asks for that when it
makes one); an older one after `PRAGMA auto_vacuum = incremental; VACUUM`. PostgreSQL has its own
vacuum, which needs no help.
"""

from django.db import connections

from workflows.storage import sql
from workflows.storage.sqlite.base import DatabaseWrapper

_STEP = 500  # pages of 4 KiB in one turn: some hundredths of a second
_STEPS = 20  # a call
_KEPT_SHARE = 10  # one page in so many may be free: what comes next needs it again


def give_back() -> int:
    """Give the disk what is free beyond a reserve, at most some dozen MiB at a time; how many
    pages."""
    database = connections["default"]
    if not isinstance(database, DatabaseWrapper):
        return 0
    before = _pragma("freelist_count")
    for _ in range(_STEPS):
        spare = _pragma("freelist_count") - _pragma("page_count") // _KEPT_SHARE
        if spare <= 0 or not _step(database, min(spare, _STEP)):
            break
    return before - _pragma("freelist_count")


def _pragma(name: str) -> int:
    return int(sql.fetch(f"PRAGMA {name}")[0][0])


def _step(database: DatabaseWrapper, pages: int) -> bool:
    """Whether any page was given back: none is in a file that was made without `auto_vacuum`."""
    free = _pragma("freelist_count")
    with database.one_turn():
        # A statement without columns is stepped once by `execute`: that would be one page.
        database.connection.executescript(f"PRAGMA incremental_vacuum({pages})")
    return _pragma("freelist_count") < free
