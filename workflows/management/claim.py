"""Is this home folder usable, and ours alone?"""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from workflows.management.refusal import Refusal


def claim_home(home: Path) -> IO[str]:
    """Make the home private and lock it; the claim lasts until the returned file is closed.

    The kernel drops the lock with the process, so a dead supervisor leaves nothing to clean up.
    """
    _make_private(home)
    lock = (home / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        raise Refusal(
            f"eventflow already runs on {home} (process {owner}): stop it first, "
            "or choose another folder with EVENTFLOW_HOME=…"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _make_private(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise Refusal(
            f"eventflow cannot write to {home} ({error.strerror}): "
            "make it writable, or choose another folder with EVENTFLOW_HOME=…"
        ) from error
