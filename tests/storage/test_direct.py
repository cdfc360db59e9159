"""What a write transaction of a thread that mustn't wait leaves behind when it fails: nothing."""

import sqlite3
from pathlib import Path

import pytest

from workflows.storage.sqlite.direct import Direct
from workflows.storage.sqlite.lock import write_lock

_BEGIN = "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=0;"


def _direct(path: Path, init: str = "") -> Direct:
    options = {"cached_statements": 16, "init_command": f"{_BEGIN} {init}"}
    return Direct({"NAME": str(path), "OPTIONS": options})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as made:
        made.executescript(
            f"{_BEGIN} CREATE TABLE event (id INTEGER PRIMARY KEY, body BLOB);"
            "CREATE TABLE mark (event INTEGER REFERENCES event(id) DEFERRABLE INITIALLY DEFERRED);"
        )
    return path


def _write(direct: Direct, *statements: str) -> None:
    with direct.transaction() as connection:
        assert connection is not None
        for statement in statements:
            connection.execute(statement)


def _events(path: Path) -> list[int]:
    """Read by another one, who can also write: nobody has kept the file."""
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    found = [number for (number,) in other.execute("SELECT id FROM event ORDER BY id")]
    other.execute("ROLLBACK")
    other.close()
    return found


def test_what_failed_is_said_also_where_sqlite_has_rolled_back_by_itself(path: Path) -> None:
    direct = _direct(path, "PRAGMA max_page_count=12;")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        _write(
            direct,
            "INSERT INTO event VALUES (1, x'00')",
            "INSERT INTO event VALUES (2, zeroblob(100000))",
        )
    assert _events(path) == []
    _write(direct, "INSERT INTO event VALUES (3, x'00')")
    assert _events(path) == [3]


def test_a_commit_that_is_refused_is_rolled_back(path: Path) -> None:
    direct = _direct(path)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        _write(direct, "INSERT INTO event VALUES (1, x'00')", "INSERT INTO mark VALUES (7)")
    assert _events(path) == []
    _write(direct, "INSERT INTO event VALUES (2, x'00')", "INSERT INTO mark VALUES (2)")
    assert _events(path) == [2]


def test_where_rolling_back_fails_too_the_file_is_let_go(path: Path) -> None:
    direct = _direct(path)
    with pytest.raises(ZeroDivisionError), direct.transaction() as connection:
        assert connection is not None
        connection.execute("INSERT INTO event VALUES (1, x'00')")
        connection.set_authorizer(_refuse_rollback)
        raise ZeroDivisionError
    assert _events(path) == []
    _write(direct, "INSERT INTO event VALUES (2, x'00')")
    assert _events(path) == [2]


def _refuse_rollback(action: int, name: str | None, *_: object) -> int:
    is_rollback = action == sqlite3.SQLITE_TRANSACTION and name == "ROLLBACK"
    return sqlite3.SQLITE_DENY if is_rollback else sqlite3.SQLITE_OK


def test_nothing_is_begun_while_somebody_else_writes(path: Path) -> None:
    direct, lock = _direct(path), write_lock(str(path))
    lock.acquire()
    with direct.transaction() as connection:
        assert connection is None
    lock.release()
    _write(direct, "INSERT INTO event VALUES (1, x'00')")
    assert _events(path) == [1]
