"""Who am I among all worker processes? The name that leases are taken under."""

import os
import secrets
import socket
from functools import cache


@cache
def _name(pid: int) -> str:
    return f"{socket.gethostname()[:40]}:{pid}:{secrets.token_hex(6)}"


def owner() -> str:
    """Unique to this process and this start of it; a forked child gets its own."""
    return _name(os.getpid())
