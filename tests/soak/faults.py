"""What goes wrong in a soak: each fault ends with everything running again."""

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests import servers
from tests.servers import Stack
from workflows.tasks.drain import LEASE_SECONDS


class Valkey:
    """A Valkey that can be killed and started again on the same address."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.url = ""
        self._running = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        """Start it, from its file if that is there."""
        self.url = self._running.enter_context(servers.running_valkey(self._home))

    def kill(self, *, with_file: bool) -> None:
        """`kill -9`; with its file nothing of it is left."""
        servers.kill_valkey(self._home)
        self._running.close()
        if with_file:
            shutil.rmtree(self._home / "valkey", ignore_errors=True)

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def close(self) -> None:
        """End it."""
        self._running.close()


class Faults:
    """All faults, chosen by a seeded random.

    `deaths` counts how often a worker lost the replies to what it had under way.
    """

    def __init__(
        self, stack: Stack, valkey: Valkey, postgres: servers.Postgres | None, seed: int
    ) -> None:
        self._stack, self._valkey, self._postgres = stack, valkey, postgres
        self._random = random.Random(seed)
        self.deaths = 0
        self.done: list[str] = []

    def next(self) -> None:
        """Let something go wrong, and mend it after a while."""
        choices: list[Callable[[], None]] = [
            self._kill_web,
            self._kill_worker,
            self._kill_all_workers,
            self._kill_timers,
            self._kill_valkey,
            self._lose_valkey,
            self._valkey_forgets,
        ]
        if self._postgres is not None:
            choices += [self._restart_postgres, self._stop_worker]
        fault = self._random.choice(choices)
        self.done.append(fault.__name__.strip("_"))
        fault()

    def _pause(self, most: float = 2.0) -> None:
        time.sleep(self._random.uniform(0.0, most))  # how long it stays broken

    def _kill(self, name: str) -> None:
        self._stack.kill(name)
        self._pause()
        self._stack.revive(name)

    def _kill_web(self) -> None:
        self._kill("web")

    def _kill_timers(self) -> None:
        self._kill("timers")

    def _kill_worker(self) -> None:
        self.deaths += 1
        self._kill(self._random.choice(self._stack.named("worker")).command.name)

    def _kill_all_workers(self) -> None:
        self.deaths += len(self._stack.named("worker"))
        self._kill("worker")

    def _kill_valkey(self) -> None:
        self._valkey.kill(with_file=False)
        self._pause()
        self._valkey.start()

    def _lose_valkey(self) -> None:
        self._valkey.kill(with_file=True)
        self._pause()
        self._valkey.start()

    def _valkey_forgets(self) -> None:
        self._valkey.flush()

    def _restart_postgres(self) -> None:
        assert self._postgres is not None
        self.deaths += len(self._stack.named("worker"))  # replies that came meanwhile are lost
        self._postgres.restart()

    def _stop_worker(self) -> None:
        """Past its lease; not on SQLite, where one that is stopped in a write stops all writers."""
        self.deaths += 1
        child = self._random.choice(self._stack.named("worker"))
        if child.pid is None:
            return
        os.killpg(child.pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 1.3)  # so its lease is over, and taken by another
        os.killpg(child.pid, signal.SIGCONT)
