"""Who ends the children when their supervisor is gone, even by `kill -9`?

Run as a file with nothing but the standard library, it reads its standard input, a pipe that only
the supervisor holds. "+N" says that process group N has begun, "-N" that it has ended; when the
pipe closes, the groups that are left are told to stop, and soon killed.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 1.5


def end_groups(groups: set[int]) -> None:
    """Ask the groups to stop, then kill what is still there after the grace."""
    left = {group for group in groups if _send(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if _send(group, 0)}
    for group in left:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> bool:
    """Whether the group had a process to receive it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group in which only zombies are left
        return False
    return True


def main() -> None:
    """Follow the supervisor until its pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        group = int(line[1:])
        (groups.add if line.startswith(b"+") else groups.discard)(group)
    end_groups(groups)


if __name__ == "__main__":
    main()
