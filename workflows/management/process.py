"""How does one child run: in a group of its own, watched, its output prefixed and logged?"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from workflows.management import watchdog
from workflows.management.children import Command

LOG_LIMIT = 10_000_000  # bytes; the file before the last is kept as NAME.log.1
# The child announces its own group before it becomes the program, so that there is no moment at
# which it runs and the watchdog doesn't know it. Its standard input is the watchdog's pipe until
# then: a shell can address no descriptor above 9.
ANNOUNCE = 'echo "+$$" >&0; exec "$@" </dev/null'


class Watchdog:
    """The process that ends the children should this one vanish; revived when it is killed."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._start()

    def _start(self) -> None:
        reader, self._writer = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(reader)

    def open(self) -> int:
        """The pipe's descriptor, for a child to announce itself on."""
        if self._process.poll() is not None:
            os.close(self._writer)
            self._start()
            for group in self._groups:
                os.write(self._writer, b"+%d\n" % group)
        return self._writer

    def began(self, group: int) -> None:
        """Remember a group that has announced itself."""
        self._groups.add(group)

    def ended(self, group: int) -> None:
        """Forget a group: its number may soon be somebody else's."""
        self._groups.discard(group)
        os.write(self.open(), b"-%d\n" % group)

    def close(self) -> None:
        """Let the watchdog end whatever is left, and wait for it."""
        os.close(self._writer)
        self._process.wait()


class Child:
    """One process of an installation; it can be started again after it has ended."""

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str],
        watch: Watchdog,
        logs: Path,
        show: Callable[[str], None],
    ) -> None:
        self.command = command
        self.log = logs / f"{command.name.replace(' ', '-')}.log"
        self._environment = environment
        self._watch = watch
        self._show = show
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.started_at = 0.0  # monotonic

    @property
    def pid(self) -> int | None:
        """The process, which is also its group's number; None when it isn't running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begin the process; its output goes to the log, and to `show` unless it is quiet."""
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", ANNOUNCE, "sh", *self.command.argv],
            stdin=self._watch.open(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self._environment),
            process_group=0,  # in one session: Linux shares processors out by sessions first
        )
        self._watch.began(self._process.pid)
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._copy_output, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    def _copy_output(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode(errors="replace").rstrip()
                self._write_log(text)
                if not self.command.quiet:
                    self._show(f"{self.command.name} | {text}")

    def _write_log(self, text: str) -> None:
        with contextlib.suppress(OSError), self.log.open("a") as file:  # a full disk stops no child
            file.write(text + "\n")
            if file.tell() > LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".log.1"))

    def poll(self) -> int | None:
        """The exit code of a process that has ended since it was started, else None."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self.signal(signal.SIGKILL, group=True)  # what it may have left behind
        self._watch.ended(self._process.pid)
        if self._reader:
            self._reader.join(1)
        self._process = None
        return code

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the process or to its whole group; nothing happens if it is gone."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self._process.pid, number)


def stop(children: list[Child], grace: Callable[[float], bool]) -> None:
    """End the children stage by stage; `grace(elapsed)` says whether more patience is in order."""
    for stage in sorted({child.command.stage for child in children}):
        _stop_stage([child for child in children if child.command.stage == stage], grace)


def _stop_stage(children: list[Child], grace: Callable[[float], bool]) -> None:
    begun = time.monotonic()
    for child in children:
        child.signal(signal.SIGTERM)
    while any(_is_running(child) for child in children):
        elapsed = time.monotonic() - begun
        for child in children:
            if elapsed > child.command.grace_seconds or not grace(elapsed):
                child.signal(signal.SIGKILL, group=True)
        time.sleep(0.02)


def _is_running(child: Child) -> bool:
    child.poll()
    return child.pid is not None
