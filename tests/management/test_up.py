"""Does one command start everything, keep it alive, and leave nothing behind?

A start takes five seconds of processor: what one test leaves running, the next one takes.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT, free_port, wait_until
from workflows.management.commands.up import WORKERS
from workflows.management.installation import answers_healthy
from workflows.management.supervisor import next_pause

pytestmark = pytest.mark.serial
MIGRATED = os.environ.get("MIGRATED_DATABASE")  # else each test waits for migrations


class Up:
    """A real `manage.py up` on a home, which its environment names unless `named` is another."""

    def __init__(self, home: Path, port: int, *words: str, named: Path | None = None) -> None:
        self.home, self.port = home, port
        self._log = home.with_name(f"{port}.out")
        kept = {k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "DATABASE_URL"}}
        with self._log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--no-demo", *words],
                cwd=ROOT,
                env={**kept, "EVENTFLOW_HOME": str(named or home), "PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.output
            return f"ready at http://localhost:{self.port}/" in self.output

        wait_until(is_ready, 60, "the address")

    def processes(self) -> dict[int, str]:
        """Whatever runs on this home, the supervisor left out."""
        mark = f"EVENTFLOW_HOME={self.home}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                # Valkey's title overwrites its environment; it names its socket instead.
                is_ours = mark in (folder / "environ").read_bytes().split(b"\0")
                if is_ours or f"{self.home}/valkey.sock" in words:
                    found[int(folder.name)] = words
        found.pop(self.process.pid, None)
        return found

    def pid_of(self, words: str) -> int | None:
        return next((pid for pid, line in self.processes().items() if words in line), None)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


class Ups:
    """One home, on which the tests of this file take turns."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self._started: list[Up] = []

    def start(
        self,
        *words: str,
        home: Path | None = None,
        named: Path | None = None,
        spare: bool = True,
    ) -> Up:
        """Another one, on the common home unless told otherwise, and with a single worker if it
        shall `spare` the processor."""
        if home is None and MIGRATED and not self.home.exists():
            self.home.mkdir(0o700)
            shutil.copy(MIGRATED, self.home / "eventflow.sqlite3")
        words = ("--workers", "1", *words) if spare else words
        self._started.append(Up(home or self.home, free_port(), *words, named=named))
        return self._started[-1]

    def running(self) -> Up:
        """What the test before has left running on the common home, or a new one; it is ready."""
        left = [up for up in self._started if up.process.poll() is None and up.home == self.home]
        one = left[0] if left else self.start()
        one.wait_until_ready()
        return one

    def end(self) -> None:
        """Stop what was left running: a stop leaves nothing."""
        for up in self._started:
            if up.process.poll() is None:
                assert up.end() == 0
                assert up.processes() == {}


@pytest.fixture(scope="module")
def ups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ups]:
    ups = Ups(tmp_path_factory.mktemp("up"))
    yield ups
    ups.end()


def test_it_starts_everything_and_a_stop_leaves_nothing(ups: Ups, tmp_path: Path) -> None:
    one = ups.start(home=tmp_path / "home", spare=False)
    one.wait_until_ready()
    assert answers_healthy("127.0.0.1", one.port)
    lines = one.processes().values()
    workers = [f"w{number + 1}@" for number in range(WORKERS)]
    for words in ("uvicorn eventflow.asgi", *workers, "eventflow beat", "valkey-server"):
        assert any(words in line for line in lines), words
    assert one.home.stat().st_mode & 0o777 == 0o700
    doors, *others = (
        os.getpriority(os.PRIO_PROCESS, one.pid_of(words) or 0)
        for words in ("uvicorn", *workers, "eventflow beat")
    )
    assert min(others) > doors, "work gives way to the doors"
    assert one.end() == 0
    assert one.processes() == {}
    assert "Stopped." in one.output


def test_the_home_can_be_named_on_the_command_line(ups: Ups, tmp_path: Path) -> None:
    ups.end()
    shutil.rmtree(ups.home / "valkey", ignore_errors=True)
    one = ups.start("--home", str(ups.home), named=tmp_path / "other")
    one.wait_until_ready()
    assert (ups.home / "valkey").is_dir()
    assert not (tmp_path / "other" / "valkey").exists()


def test_a_second_supervisor_on_one_home_is_one_sentence(ups: Ups) -> None:
    one = ups.running()
    two = ups.start()
    assert two.process.wait(30) == 1
    assert two.output.splitlines() == [
        f"eventflow already runs on {one.home} (process {one.process.pid}): "
        "stop it first, or choose another folder with EVENTFLOW_HOME=…"
    ]
    assert answers_healthy("127.0.0.1", one.port)


def test_a_killed_process_comes_back(ups: Ups) -> None:
    one = ups.running()
    # The watchdog goes first: it is needed, and so revived, when a process starts or ends.
    names = ["watchdog.py", "uvicorn", "w1@", "eventflow beat", "valkey-server"]
    before = {name: one.pid_of(name) for name in names}
    for pid in before.values():
        os.kill(pid or 0, signal.SIGKILL)
    wait_until(
        lambda: all(one.pid_of(name) not in {None, before[name]} for name in names),
        10,
        "the return of all",
    )
    wait_until(lambda: answers_healthy("127.0.0.1", one.port), 20, "an answer")
    assert one.end() == 0
    assert one.processes() == {}


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_works(ups: Ups) -> None:
    one = ups.running()
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not one.processes(), 3, "the end of all")
    two = ups.start()
    two.wait_until_ready()
    assert two.end(signal.SIGINT) == 0


def test_what_a_crash_left_behind_is_recovered(ups: Ups) -> None:
    one = ups.running()
    os.kill(one.pid_of("watchdog.py") or 0, signal.SIGKILL)
    leftover = one.pid_of("valkey-server")
    others = [one.pid_of(words) for words in ("uvicorn", "w1@", "eventflow beat")]
    one.process.kill()
    one.process.wait()
    for pid in others:
        os.kill(pid or 0, signal.SIGKILL)
    for file in (one.home / "valkey" / "appendonlydir").glob("*.incr.aof"):
        file.write_bytes(file.read_bytes()[:-3])  # cut off in the middle of a write
    two = ups.start()
    two.wait_until_ready()
    assert two.pid_of("valkey-server") not in {None, leftover}


def test_a_valkey_file_beyond_repair_is_set_aside(ups: Ups) -> None:
    ups.running()
    ups.end()
    for file in (ups.home / "valkey" / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*rubbish\r\n" * 50)
    two = ups.start()
    two.wait_until_ready()
    assert "valkey.broken-1" in two.output


def test_a_second_signal_stops_at_once(ups: Ups) -> None:
    one = ups.running()
    os.kill(one.pid_of("w1@") or 0, signal.SIGSTOP)  # would use up its ten seconds
    one.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Stopping" in one.output, 5, "the word")
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(4) == 0
    assert one.processes() == {}


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = Up(tmp_path / "home", port)
        assert one.process.wait(30) == 1
    assert len(one.output.splitlines()) == 1
    assert f"Port {port}" in one.output and "PORT=" in one.output
    assert one.processes() == {}


@pytest.mark.parametrize(
    ("pause", "lived", "expected"),
    [
        (0.0, 0.1, 0.2),  # the first death
        (0.2, 0.1, 0.4),  # again, soon
        (4.0, 0.1, 5.0),  # never longer than this
        (5.0, 31.0, 0.2),  # it had recovered
    ],
)
def test_the_pause_grows_until_a_child_lives(pause: float, lived: float, expected: float) -> None:
    assert next_pause(pause, lived) == expected
