"""Is there room for more events? A database that runs out of disk can't even delete.

Only where the database is a file of this machine; a PostgreSQL server watches its own disk.
"""

import shutil
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

_LOOK_SECONDS = 1.0
_known: tuple[float, bool] = (float("-inf"), False)


def is_low() -> bool:
    """Whether less is free than `EVENTFLOW_DISK_FLOOR`; looked at once a second."""
    global _known
    now = time.monotonic()
    if now - _known[0] > _LOOK_SECONDS:
        _known = (now, _look())
    return _known[1]


def _look() -> bool:
    if connection.vendor != "sqlite":
        return False
    folder = Path(str(connection.settings_dict["NAME"])).parent
    try:
        return shutil.disk_usage(folder).free < floor_bytes()
    except OSError:  # the database itself will say what is wrong
        return False


def floor_bytes() -> int:
    """How much has to stay free."""
    return int(settings.EVENTFLOW_DISK_FLOOR) * 1024 * 1024
