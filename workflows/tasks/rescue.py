"""Who goes on when a process stopped in mid-write? Each worker looks for such ones, in a thread:
its tasks may all be waiting for the locks that the stopped one holds."""

import logging
import threading
import time

from django.db import DatabaseError, connection

from workflows.storage.sessions import end_stuck

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3.0
STUCK_SECONDS = 10.0  # as long as a lease, and as the server waits between two statements


def keep_ending_stuck() -> None:
    """Look from a thread for as long as the process lives."""

    def run() -> None:
        while True:
            time.sleep(_EVERY_SECONDS)
            try:
                if ended := end_stuck(STUCK_SECONDS):
                    log.warning("%d sessions ended that stopped in mid-write", ended)
            except DatabaseError as problem:  # the database is away: the thread must outlive it
                log.info("stuck sessions not looked for: %s", problem)
                connection.close()

    threading.Thread(target=run, name="rescue", daemon=True).start()
