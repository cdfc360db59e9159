"""What if a process stops in the middle of a statement? On PostgreSQL another one ends its session.

A session that stops between two statements ends by itself (`idle_in_transaction_session_timeout`).
One that stops while it sends a statement's data (COPY, a large message) does not: the server waits
for the rest of it, for ever, and the transaction keeps its locks. `transaction_timeout` would help,
which PostgreSQL has from 17 on.
"""

from workflows.storage import sql

# Only what has written holds anybody up, and only our own sessions are ours to end.
_STUCK = """
    FROM pg_stat_activity
    WHERE state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite')
      AND backend_xid IS NOT NULL
      AND state_change < clock_timestamp() - make_interval(secs => %s)
      AND datname = current_database() AND usename = current_user
      AND application_name = current_setting('application_name')
"""


def end_stuck(seconds: float) -> int:
    """End this installation's sessions that have written and then kept the server waiting for so
    long within one statement; how many. Nothing on SQLite: there a stopped writer stops all."""
    if not sql.is_postgres():
        return 0
    return len(sql.fetch(f"SELECT pg_terminate_backend(pid) {_STUCK}", (seconds,)))
