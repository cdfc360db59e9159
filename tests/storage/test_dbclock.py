"""The database's clock, as a process counts on from it."""

import time

import pytest

from workflows.storage import dbclock, sql


def test_a_connection_that_opens_slowly_doesnt_put_the_clock_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def database_now() -> float:
        if not asked:
            time.sleep(0.2)  # it opens the connection, and is asked only then
        asked.append(True)
        return time.time()

    monkeypatch.setattr(dbclock, "_asked_at", float("-inf"))
    monkeypatch.setattr(dbclock, "_ahead", 0.0)
    monkeypatch.setattr(sql, "is_postgres", lambda: True)
    monkeypatch.setattr(sql, "database_now", database_now)
    assert dbclock.now() == pytest.approx(time.time(), abs=0.05)
