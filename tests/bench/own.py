"""An installation of this process's own: a home, a database, a Valkey, and Django set up for them.

`DATABASE_URL` names the database if the caller has one; it should be empty. Otherwise it is SQLite.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import servers


@contextlib.contextmanager
def own_installation() -> Iterator[Path]:
    """The home. Call it once in a process, before Django's settings are read."""
    home = Path(tempfile.mkdtemp(prefix="eventflow-bench-"))
    try:
        adopt(home)
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        with servers.running_valkey(home):
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def adopt(home: Path) -> None:
    """Set Django up for what lies in `home`."""
    for name in [name for name in os.environ if name.startswith("EVENTFLOW_")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "eventflow.settings",
        "EVENTFLOW_HOME": str(home),
        "EVENTFLOW_HTTP_ALLOW": "127.0.0.0/8",
        "REDIS_URL": f"unix://{home}/valkey.sock?db=0",
    }
    import django

    django.setup()
