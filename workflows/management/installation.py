"""What happens between `manage.py up` and the address on the screen, and after?

Step by step: Valkey, database, first run, processes. Then the supervisor watches until a signal.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command, get_commands
from django.db import connections

from workflows.management import children, probe, valkey
from workflows.management.process import Child
from workflows.management.refusal import Refusal
from workflows.management.supervisor import Supervisor
from workflows.management.variables import unknown_names

STEPS = 4
VALKEY_PATIENCE = 30.0  # seconds, for a large append-only file
WEB_PATIENCE = 60.0  # seconds until a silent web process is remarked on


@dataclass(frozen=True)
class Options:
    """What `manage.py up` was asked for."""

    home: Path
    host: str
    port: int
    workers: int
    demo: bool
    first_step: int
    parent: int | None


class Installation:
    """One home, started and watched. `run` returns after a clean stop."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._step = options.first_step - 1
        self._env = children.environment(options.home, settings.REDIS_URL, PORT=str(options.port))
        self._announced = False

    def run(self) -> None:
        """Raises `Refusal` when something stands in the way; then nothing is left running."""
        for name in unknown_names(os.environ):
            self._say(f"Note: {name} is set, but eventflow has no such setting.")
        refuse_taken_port(self._options.host, self._options.port)
        logs = self._options.home / "logs"
        with Supervisor(logs, self._say, self._options.parent) as supervisor:
            self._start_valkey(supervisor)
            self._prepare_database()
            self._first_run()
            self._start_processes(supervisor)
            self._web_due = time.monotonic() + WEB_PATIENCE
            supervisor.watch(self._look_for_web)
            self._say("Stopping; once more to stop at once.")
        self._say("Stopped.")

    def _progress(self, text: str, begun: float | None = None) -> None:
        self._step += 1
        total = self._options.first_step - 1 + STEPS
        took = "" if begun is None else f" ({time.monotonic() - begun:.1f} s)"
        self._say(f"{self._step}/{total} {text}{took}")

    def _start_valkey(self, supervisor: Supervisor) -> None:
        begun = time.monotonic()
        if os.environ.get("REDIS_URL"):
            if not valkey.answers(settings.REDIS_URL):
                raise Refusal(
                    "The Redis at REDIS_URL doesn't answer: start it, or unset REDIS_URL."
                )
            self._progress("Redis at REDIS_URL", begun)
            return
        path = Path(urlsplit(settings.REDIS_URL).path)
        folder = self._options.home / "valkey"
        valkey.prepare(path, folder)
        command = children.valkey(valkey.server_command(valkey.find_binary(), path, folder))
        child = supervisor.start(command, self._env)
        if not _wait_for_valkey(child):
            supervisor.drop(child)
            self._say(f"Valkey refused its data; it is kept in {valkey.set_aside(folder)}")
            child = supervisor.start(command, self._env)
            if not _wait_for_valkey(child):
                raise Refusal(f"Valkey doesn't start: {child.log} says why.")
        self._progress("Valkey", begun)

    def _prepare_database(self) -> None:
        begun = time.monotonic()
        call_command("migrate", interactive=False, verbosity=0)
        self._progress(f"Database ({connections['default'].display_name})", begun)

    def _first_run(self) -> None:
        begun = time.monotonic()
        if "firstrun" in get_commands():
            call_command("firstrun", demo=self._options.demo)
        connections.close_all()
        self._progress("Workspace", begun)

    def _start_processes(self, supervisor: Supervisor) -> None:
        (self._options.home / "beat").mkdir(mode=0o700, exist_ok=True)
        workers = [children.worker(number + 1) for number in range(self._options.workers)]
        web = children.web(self._options.host, self._options.port)
        for command in [web, *workers, children.timers(self._options.home)]:
            supervisor.start(command, self._env)

    def _look_for_web(self) -> None:
        if self._announced:
            return
        if answers_healthy(self._options.host, self._options.port):
            self._announced = True
            self._progress("Web, worker, timers")
            self._say(f"eventflow is ready at {address(self._options.host, self._options.port)}")
            self._say("Ctrl-C stops it.")
        elif time.monotonic() > self._web_due:
            self._announced = True
            self._say(f"The web process doesn't answer: see {self._options.home / 'logs/web.log'}")


def _wait_for_valkey(child: Child) -> bool:
    """False when the server gave up."""
    deadline = time.monotonic() + VALKEY_PATIENCE
    while child.poll() is None:
        if valkey.answers(settings.REDIS_URL):
            return True
        if time.monotonic() > deadline:
            raise Refusal(f"Valkey doesn't answer: {child.log} says why.")
        time.sleep(0.02)
    return False


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    shown = "localhost" if host in {"127.0.0.1", "0.0.0.0", "::", "::1"} else host
    return f"http://{shown}:{port}/"


def refuse_taken_port(host: str, port: int) -> None:
    """Raises `Refusal` when the web process couldn't listen there."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen()
    except OSError as error:
        raise Refusal(
            f"Port {port} on {host} cannot be used ({error.strerror}): "
            "choose another one, for example PORT=8001."
        ) from error


def answers_healthy(host: str, port: int) -> bool:
    """Whether the web process answers on /healthz."""
    return probe.get(host, port, "/healthz")[0] == 200
