"""Reads the command line and prepares a whole installation of its own, then lets the soak begin."""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import servers


def main() -> int:
    """Exit code 0 when every promise was kept; the last line says what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100.0, help="events a second, at most")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="which faults come when")
    parser.add_argument("--skew", type=float, default=0.0, help="seconds that one worker is ahead")
    words = parser.parse_args()
    with _prepared(words.database) as (home, database):
        from tests.soak.play import play

        wrong = servers.clock_ahead(words.skew) if words.skew else {}
        return play(home, database, words.minutes * 60, words.rate, words.seed, wrong)


@contextlib.contextmanager
def _prepared(database: str) -> Iterator[tuple[Path, servers.Postgres | None]]:
    """A home and a migrated database; Django is set up for it."""
    home = Path(tempfile.mkdtemp(prefix="eventflow-soak-"))
    with contextlib.ExitStack() as running:
        running.callback(shutil.rmtree, home, ignore_errors=True)
        postgres = None
        url = f"sqlite:///{home}/db.sqlite3"
        if database == "postgres":
            postgres = running.enter_context(servers.postgres_server(fsync=True))
            url = postgres.url
        for name in [name for name in os.environ if name.startswith("EVENTFLOW_")]:
            del os.environ[name]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "eventflow.settings",
            "EVENTFLOW_HOME": str(home),
            "EVENTFLOW_HTTP_ALLOW": "127.0.0.0/8",
            "DATABASE_URL": url,
            "REDIS_URL": f"unix://{home}/valkey.sock?db=0",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield home, postgres


if __name__ == "__main__":
    sys.exit(main())
