"""Stopping a worker without stopping everybody."""

import signal
import threading

from django.db import connection

from tests.servers import Stack
from workflows.storage import sql


def stop_between_writes(stack: Stack, name: str) -> None:
    """SIGSTOP a worker. One that is stopped while it writes to SQLite stops all writers of that
    file, whatever anybody does: then let it go on for a moment, and stop it again."""
    for _ in range(50):
        stack.kill(name, signal.SIGSTOP)
        writer = threading.Thread(target=_write_nothing)
        writer.start()
        writer.join(1.0)
        if not writer.is_alive():
            return
        stack.kill(name, signal.SIGCONT)
        writer.join()
    raise AssertionError("the worker writes all the time")


def _write_nothing() -> None:
    """A write transaction of this process, which has to wait for its turn like any other."""
    sql.execute("UPDATE workflows_flow SET paused = paused WHERE id = -1")
    connection.close()
