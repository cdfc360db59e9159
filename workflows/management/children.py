"""With which command line does each process of an installation start?"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where the package `eventflow` is found
# Where processors are short the doors go first: what they took can wait, a sender can't. A tenth
# of the doors' share is left to the others even then, and far more work fits into larger batches.
_GIVING_WAY = ("nice", "-n", "10")


@dataclass(frozen=True)
class Command:
    """One process: its name in the output, its command line, and how it is stopped.

    Lower `stage` stops first; after `grace_seconds` it is killed. A `quiet` one writes only to
    its log file.
    """

    name: str
    argv: tuple[str, ...]
    stage: int
    grace_seconds: float
    quiet: bool = False


def web(host: str, port: int) -> Command:
    """The doors, pages, API and sockets."""
    options = ["--host", host, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    speed = [
        "--loop",
        "uvloop",
        "--http",
        "eventflow.asgi:DoorProtocol",
        "--ws",
        "websockets-sansio",
    ]
    stop = ["--timeout-graceful-shutdown", "4"]
    module = [sys.executable, "-m", "uvicorn", "eventflow.asgi:application"]
    return Command("web", (*module, *options, *speed, *stop), stage=0, grace_seconds=6)


def timers(home: Path) -> Command:
    """The clock: it sends the ticks, the workers do them."""
    schedule = home / "beat" / "schedule"
    options = ["beat", "-s", str(schedule), "--pidfile=", "-l", "warning"]
    return Command("timers", (*_GIVING_WAY, *_celery(), *options), stage=0, grace_seconds=3)


def worker(number: int) -> Command:
    """The `number`-th worker, from 1: one process, one task at a time."""
    options = ["worker", "--pool", "solo", "-c", "1", "-n", f"w{number}@%h", "-Q", "eventflow"]
    lean = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning"]
    argv = (*_GIVING_WAY, *_celery(), *options, *lean)
    return Command(f"worker {number}", argv, stage=1, grace_seconds=10)


def valkey(argv: tuple[str, ...]) -> Command:
    """The embedded Valkey: the last to stop, because the workers' last words go through it."""
    return Command("valkey", argv, stage=2, grace_seconds=5, quiet=True)


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "-A", "eventflow"]


# In a container everything runs as root; and static files are read in chunks, which Django would
# rather have from an asynchronous iterator that Whitenoise doesn't offer.
_NOTHING_NEW = ("ignore:You're running the worker", "ignore:StreamingHttpResponse must consume")


def environment(home: Path, redis_url: str, **more: str) -> Mapping[str, str]:
    """What every child finds in its environment: this process's, and where things are."""
    fixed = {
        "DJANGO_SETTINGS_MODULE": "eventflow.settings",
        "EVENTFLOW_HOME": str(home),
        "REDIS_URL": redis_url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *_paths(os.environ.get("PYTHONPATH"))]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", ",".join(_NOTHING_NEW)),
    }
    return {**os.environ, **fixed, **more}


def _paths(value: str | None) -> list[str]:
    return [path for path in (value or "").split(os.pathsep) if path and path != str(ROOT)]
