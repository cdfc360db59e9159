"""Who nudges for a process that can't wait for Redis, Celery and the database? A thread of it."""

import logging
import threading
import time
from collections.abc import Iterable

from django.db import connection

from workflows.storage import cursors
from workflows.tasks.nudge import nudge

log = logging.getLogger(__name__)
_READERS_SECONDS = 1.0
# Between two rounds of nudges: each takes the interpreter from requests. Longer where a drain runs
# already, which looks for itself.
_REST_SECONDS, _RUNNING_SECONDS = 0.003, 0.012


class Nudger:
    """Its thread starts with it, and lives as long as the process."""

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._wake = threading.Condition()
        self._readers: dict[int, tuple[float, list[int]]] = {}  # until when, by channel
        threading.Thread(target=self._run, name="nudger", daemon=True).start()

    def nudge_readers(self, channel_ids: Iterable[int]) -> None:
        """Ask for drains of all that read these channels, soon. What fails the sweep makes good."""
        with self._wake:
            self._wanted.update(channel_ids)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._wanted:
                    self._wake.wait()
                wanted, self._wanted = self._wanted, set()
            rest = _REST_SECONDS
            try:
                if not nudge(self._readers_of(wanted)):
                    rest = _RUNNING_SECONDS
            except Exception:
                log.exception("readers not nudged, the sweep will find the lag")
                connection.close()
            time.sleep(rest)

    def _readers_of(self, channel_ids: set[int]) -> set[int]:
        now = time.monotonic()
        stale = [one for one in channel_ids if self._readers.get(one, (0.0, []))[0] < now]
        for channel_id, readers in cursors.readers_of(stale).items():
            self._readers[channel_id] = (now + _READERS_SECONDS, readers)
        return {reader for one in channel_ids for reader in self._readers[one][1]}
