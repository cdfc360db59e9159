"""How do the tests get real servers of their own: Valkey, PostgreSQL, and eventflow itself?"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import redis
from celery import current_app
from kombu import pools
from psycopg.sql import SQL, Identifier

from workflows.management import children, valkey
from workflows.management.installation import answers_healthy
from workflows.management.process import Child, Watchdog, stop

ROOT = Path(__file__).resolve().parent.parent
DEBIAN_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class ServerMissing(Exception):
    """This machine has no such server; the message says how to get it."""


def wait_until(condition: Callable[[], object], seconds: float = 10.0, what: str = "it") -> None:
    """Return as soon as the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)


def clock_ahead(seconds: float) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong by so much. Raises `ServerMissing`."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise ServerMissing("libfaketime is not installed: apt-get install faketime")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": f"{seconds:+g}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """A private Valkey on a Unix socket in `folder`; yields its URL."""
    path = folder / "valkey.sock"
    data = folder / "valkey"
    data.mkdir(exist_ok=True)
    command = children.valkey(valkey.server_command(valkey.find_binary(), path, data))
    url = f"unix://{path}?db=0"
    watchdog = Watchdog()  # a killed test run leaves no server behind
    server = Child(command, os.environ, watchdog, folder, show=lambda line: None)
    server.start()
    try:
        wait_until(lambda: valkey.answers(url), what="Valkey's answer")
        yield url
    finally:
        stop([server], grace=lambda elapsed: True)
        watchdog.close()


def kill_valkey(folder: Path) -> None:
    """`kill -9` the Valkey that `running_valkey` started in `folder`, and wait until it is gone."""
    url = f"unix://{folder / 'valkey.sock'}?db=0"
    with redis.Redis.from_url(url) as client:
        process = int(client.info("server")["process_id"])
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not valkey.answers(url), what="the end of Valkey")


def forget_celery_connections() -> None:
    """Close Celery's connections to the broker and give it new pools, for the next test."""
    app: Any = current_app  # its types leave out the pools
    if app._pool is not None:
        app.pool.force_close_all()
    pools.reset()
    app._pool = app.amqp._producer_pool = None


def _postgres_program(name: str) -> str:
    # Debian keeps the programs off PATH, and what is on it there may change the user by itself.
    places = os.pathsep.join([*map(str, DEBIAN_POSTGRES), os.environ.get("PATH", "")])
    if found := shutil.which(name, path=places):
        return found
    raise ServerMissing("PostgreSQL is not installed: apt-get install postgresql-15")


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root: the words that change the user."""
    if os.getuid() != 0:
        return []
    with contextlib.suppress(KeyError):
        pwd.getpwnam("postgres")
        if tool := shutil.which("setpriv"):
            return [tool, "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    raise ServerMissing("PostgreSQL cannot run as root, and there is no user postgres or setpriv")


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """A private PostgreSQL on a loopback port; yields its URL. Raises `ServerMissing`."""
    with postgres_server() as server:
        yield server.url


def create_database(url: str, name: str) -> str:
    """Add an empty database to the PostgreSQL at `url`; returns its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return f"{url.rpartition('/')[0]}/{name}"


@dataclass(frozen=True)
class Postgres:
    """A private PostgreSQL."""

    url: str
    _control: tuple[str, ...]

    def restart(self) -> None:
        """As after a crash of the whole server: nobody is waited for."""
        _quietly([*self._control, "-m", "immediate", "restart"])


@contextlib.contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[Postgres]:
    """A private PostgreSQL that can be restarted. Raises `ServerMissing`."""
    initdb, control, user = _postgres_program("initdb"), _postgres_program("pg_ctl"), _as_postgres()
    with tempfile.TemporaryDirectory(prefix="eventflow-pg-") as name:
        if user:
            os.chown(name, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)
        data, port = f"{name}/data", free_port()
        _quietly([*user, initdb, "--no-sync", "--auth=trust", "-U", "eventflow", "-D", data])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {name} -c max_connections=200"
        options += "" if fsync else " -c fsync=off -c synchronous_commit=off"
        command = [*user, control, "-D", data, "-w"]
        command += ["-l", f"{name}/log", "-o", options]
        _quietly([*command, "start"])
        try:
            yield Postgres(f"postgres://eventflow@127.0.0.1:{port}/postgres", tuple(command))
        finally:
            _quietly([*command, "-m", "immediate", "stop"])


def _quietly(command: list[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}")


class Stack:
    """Web, workers and timers as real processes, with the command lines of the product."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Logs and the timers' file go to `folder`; `environment` names database and Redis."""
        self._folder = folder
        self._environment = environment
        self._watchdog = Watchdog()
        self._children: list[Child] = []
        self._lines: list[str] = []
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"

    def start(
        self, workers: int = 1, *, web: bool = True, timers: bool = True, **environment: str
    ) -> None:
        """Start the processes and wait until the web process answers; may be called again.

        `environment` is for these processes alone.
        """
        (self._folder / "beat").mkdir(exist_ok=True)
        known = len(self.named("worker"))
        chosen = [children.worker(known + number + 1) for number in range(workers)]
        if web and not self.named("web"):
            chosen.append(children.web("127.0.0.1", self.port))
        if timers and not self.named("timers"):
            chosen.append(children.timers(self._folder))
        for command in chosen:
            self._start_child(command, environment)
        if web:
            self.wait_for_web()

    def _start_child(self, command: children.Command, more: Mapping[str, str]) -> None:
        environment = {**self._environment, "PORT": str(self.port), **more}
        child = Child(command, environment, self._watchdog, self._folder, self._lines.append)
        child.start()
        self._children.append(child)

    def wait_for_web(self) -> None:
        """Return when /healthz answers; the failure shows what the processes said."""
        try:
            wait_until(lambda: answers_healthy("127.0.0.1", self.port), 30, "an answer of the web")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def named(self, name: str) -> list[Child]:
        """The children called `name`: "web", "worker", "worker 2", "timers"."""
        return [
            c
            for c in self._children
            if c.command.name in {name} or c.command.name.split()[0] == name
        ]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Signal the children called `name`; after a fatal signal, wait until they are gone."""
        for child in self.named(name):
            child.signal(number, group=True)
            if number in {signal.SIGKILL, signal.SIGTERM, signal.SIGINT}:
                wait_until(partial(_has_ended, child), 15, f"the end of {name}")

    def revive(self, name: str) -> None:
        """Start the ended children called `name` again, as the supervisor would."""
        for child in self.named(name):
            if _has_ended(child):
                child.start()

    @property
    def output(self) -> str:
        """What the processes have printed so far."""
        return "\n".join(self._lines)

    def close(self) -> None:
        """Kill everything: nothing is left that a later test could need."""
        stop(self._children, lambda elapsed: False)
        self._children.clear()
        self._watchdog.close()


def _has_ended(child: Child) -> bool:
    child.poll()
    return child.pid is None


def run_manage(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One `manage.py` command to its end."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    return subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=120
    )
