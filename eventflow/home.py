"""Where does this installation keep its data, its secret and its sockets?

Everything lives below one folder, `EVENTFLOW_HOME`; delete it and the next start begins afresh.
"""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's sockaddr_un holds 107 and a NUL


def home_folder(base: Path) -> Path:
    """The data folder: `EVENTFLOW_HOME`, else `.eventflow` in `base`. It may not exist yet."""
    return Path(os.environ.get("EVENTFLOW_HOME") or base / ".eventflow").expanduser().resolve()


def socket_path(home: Path) -> Path:
    """The embedded Valkey's Unix socket; below the temp folder when `home` is too long a path."""
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"eventflow-{os.getuid()}-{name}" / "valkey.sock"


def secret_key(home: Path) -> str:
    """`SECRET_KEY`, else the one kept in `home`, made on the first call (mode 0600)."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    path = home / "secret_key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key
