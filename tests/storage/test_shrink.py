"""What retention deletes comes back to the disk, a little at a time."""

import os

import pytest
from django.db import connection

from workflows.storage import shrink, sql
from workflows.tasks import jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _bloat() -> None:
    """Some MiB in the database that nobody needs any more."""
    sql.execute("CREATE TABLE bloat (x)")
    for _ in range(8):
        sql.execute("INSERT INTO bloat VALUES (zeroblob(1048576))")
    sql.execute("DROP TABLE bloat")


def _size() -> int:
    sql.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
    return os.path.getsize(str(connection.settings_dict["NAME"]))


if connection.vendor == "sqlite":

    @pytest.mark.usefixtures("_bloat")
    def test_free_space_goes_back_to_the_disk_but_for_a_reserve() -> None:
        before = _size()
        jobs.prune()
        assert _size() < before - 6_000_000
        free = sql.fetch("PRAGMA freelist_count")[0][0]
        assert 0 < free <= sql.fetch("PRAGMA page_count")[0][0] // 9
        assert shrink.give_back() == 0
        assert sql.fetch("PRAGMA integrity_check") == [("ok",)]

    @pytest.mark.usefixtures("_bloat")
    def test_only_so_much_is_given_back_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shrink, "_STEP", 10)
        assert shrink.give_back() == 200

else:

    def test_a_database_that_does_this_itself_is_left_alone() -> None:
        assert shrink.give_back() == 0
