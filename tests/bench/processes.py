"""What do the processes of an installation use? Read from /proc, by name, workers added up."""

import os
from pathlib import Path
from typing import NamedTuple

_NAMES = {"uvicorn": "web", "worker": "worker", "beat": "timers", "valkey-server": "valkey"}
_TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Seconds of processor since the start, and memory of its own (files that are mapped, such as
    SQLite's, aren't in it)."""

    seconds: float
    kib: int


def usage(supervisor: int) -> dict[str, Usage]:
    """Of each kind of process that this supervisor runs."""
    out: dict[str, Usage] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) != supervisor:
                continue
            name = _name((folder / "cmdline").read_bytes())
            if not name:  # another one, or one that has ended and isn't waited for yet
                continue
            kib = _own_kib((folder / "status").read_text())
        except OSError:  # it has ended
            continue
        before = out.get(name, Usage(0.0, 0))
        seconds = (int(fields[11]) + int(fields[12])) / _TICK
        out[name] = Usage(before.seconds + seconds, before.kib + kib)
    return out


def _name(command: bytes) -> str:
    words = [word.decode(errors="replace") for word in command.split(b"\0")]
    for word in words:  # Valkey's whole line is one of them
        program = Path(word.split()[0]).name if word.strip() else ""
        if found := _NAMES.get(program):
            return found
    return ""


def _own_kib(status: str) -> int:
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1])


def spent(before: dict[str, Usage], after: dict[str, Usage], events: int) -> dict[str, float]:
    """Microseconds of processor an event, by process."""
    return {
        name: (after[name].seconds - before[name].seconds) / events * 1e6
        for name in ("web", "worker", "valkey")
        if name in before and name in after
    }
