"""How are an installation's processes kept alive, and ended in order?

Life cycle: `start` each child, `watch` until a signal, `stop` (web and timers, then workers, then
Valkey). A second signal ends the patience of `stop`.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Self

from workflows.management.children import Command
from workflows.management.process import Child, Watchdog, stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds before a dead child starts again
HEALTHY_AFTER = 30.0  # seconds; one that lived so long starts again without a pause
LOOK_EVERY = 0.1  # seconds


def next_pause(pause: float, lived: float) -> float:
    """How long to wait before the next start of a child whose last pause and life these were."""
    if lived >= HEALTHY_AFTER or not pause:
        return SHORTEST_PAUSE
    return min(pause * 2, LONGEST_PAUSE)


class Supervisor:
    """The children of one installation. Leaving its `with` block ends them all."""

    def __init__(self, logs: Path, say: Callable[[str], None], parent: int | None = None) -> None:
        """With `parent`, the process that started this one, `watch` ends when that one is gone."""
        self._logs = logs
        self._say = say
        self._parent = parent
        self._signals = 0
        self._watching = False
        self._children: list[Child] = []
        self._pauses: dict[Child, float] = {}
        self._due: dict[Child, float] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._watchdog = Watchdog()
        self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._watching = True  # from now on a signal is only counted
        patience = self._signals + 1
        stop(self._children, lambda elapsed: self._signals < patience)
        self._watchdog.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if not self._watching:
            raise KeyboardInterrupt

    def start(self, command: Command, environment: Mapping[str, str]) -> Child:
        """Start a child that `watch` will keep alive."""
        child = Child(command, environment, self._watchdog, self._logs, self._say)
        self._children.append(child)
        child.start()
        return child

    def drop(self, child: Child) -> None:
        """Forget a child that has ended and shall not be started again."""
        self._children.remove(child)

    def watch(self, look: Callable[[], None]) -> None:
        """Keep the children alive until a signal; `look` is called about ten times a second."""
        self._watching = True
        while not self._signals and not self._is_orphan():
            for child in self._children:
                self._revive(child)
            look()
            time.sleep(LOOK_EVERY)

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if (code := child.poll()) is not None:
            pause = next_pause(self._pauses.get(child, 0.0), now - child.started_at)
            self._pauses[child] = pause
            self._due[child] = now + pause
            self._say(f"{child.command.name} {_end(code)}; starting it again in {pause:g} s")
        elif child.pid is None and now >= self._due.get(child, now):
            child.start()


def _end(code: int) -> str:
    if code >= 0:
        return f"ended (exit code {code})"
    return f"was killed ({signal.Signals(-code).name})"
