"""On SQLite a stopped writer stops all writers of the file: there is nothing to end."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from tests.servers import wait_until
from workflows.storage import sql
from workflows.storage.sessions import end_stuck

Session = psycopg.Connection[tuple[object, ...]]

pytestmark = pytest.mark.django_db(transaction=True)

_ROW = "INSERT INTO workflows_minute (flow_id, minute, events, dead) VALUES (-1, 0, 0, 0)"
_COPY = "COPY workflows_counter (flow_id, node, partition, name, n) FROM STDIN"


@pytest.fixture
def other() -> Iterator[Session]:
    """A session of another process of this installation, in the middle of a transaction."""
    connection.ensure_connection()
    own = connection.connection.info
    with psycopg.connect(own.dsn, password=own.password) as session:
        yield session
        session.close()


def _is_alive(session: Session) -> bool:
    pid = session.info.backend_pid
    return bool(sql.fetch("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)))


def test_a_session_that_stopped_in_mid_statement_is_ended(other: Session) -> None:
    other.execute(_ROW)
    with pytest.raises(psycopg.OperationalError), other.cursor().copy(_COPY):
        wait_until(lambda: end_stuck(0.05) == 1)
        wait_until(lambda: not _is_alive(other))


@pytest.mark.parametrize(
    ("writes", "name"), [(False, "eventflow"), (True, "pg_restore")], ids=["reader", "stranger"]
)
def test_what_holds_nobody_up_and_who_isnt_ours_is_left_alone(
    other: Session, writes: bool, name: str
) -> None:
    other.execute("SELECT set_config('application_name', %s, false)", (name,))
    if writes:
        other.execute(_ROW)
    with other.cursor().copy(_COPY):
        wait_until(lambda: _waits(other))
        assert end_stuck(0.0) == 0
        assert _is_alive(other)


def _waits(session: Session) -> bool:
    pid = session.info.backend_pid
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'ClientRead'"
    return bool(sql.fetch(query + " AND state = 'active'", (pid,)))
