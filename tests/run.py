"""What does `make test` run? Everything, on SQLite and on PostgreSQL, and the front end's tests.

The last line is one plain sum of all of them.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import frontend, servers

IS_CI = os.environ.get("CI") == "true"
ON_POSTGRES = ["storage", "tasks", "traces", "journeys", "faults", "api", "web", "ingest", "live"]
CALM = ["engine", "nodes", "web"]  # nothing there depends on how fast it is
APT_PACKAGES = {
    "postgresql-15": "/usr/lib/postgresql/*/bin/initdb",
    "chromium": "/usr/bin/chromium",
    "faketime": "/usr/lib/*/faketime/libfaketime.so.1",
}
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30  # containers often have 64 MB
NO_TESTS = 5  # pytest's exit code when a selection is empty


@dataclass(frozen=True)
class Run:
    """One pytest: its database, its words, and whether it leaves the processors to others first."""

    database: str
    words: list[str]
    gives_way: bool = False


@dataclass(frozen=True)
class Count:
    """How many tests ended in which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"

    @property
    def ran(self) -> int:
        """The skipped ones left out."""
        return self.passed + self.failed


def install_servers() -> None:
    """As root on Debian, add the servers that are missing; elsewhere their tests skip."""
    missing = [
        name for name, place in APT_PACKAGES.items() if not list(Path("/").glob(place.lstrip("/")))
    ]
    if not missing or os.getuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"Installing {', '.join(missing)} …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            print(done.stdout)  # the tests that need them will skip, or fail under CI
            return


def turns() -> list[list[Run]]:
    """What runs side by side, turn by turn.

    First the tests that can share the machine with any other; then the serial ones, one process
    for each database. (With two for each, tests that allow a worker two seconds failed now and
    then.) While those wait, tests that know no time take what they leave.
    """
    on_both, calm = _folders(ON_POSTGRES), _folders(CALM)
    elsewhere = [f"--ignore={folder}" for folder in calm]
    two, one_by_one = ["-n", "2", "-m"], ["-n", "1", "-m"]
    return [
        [
            Run("SQLite", [*two, "not serial", *elsewhere]),
            Run("PostgreSQL", [*two, "not serial and not sqlite_alone", *on_both]),
        ],
        [
            Run("SQLite", [*one_by_one, "serial", *elsewhere]),
            Run("PostgreSQL", [*one_by_one, "serial and not sqlite_alone", *on_both]),
            Run("SQLite", [*one_by_one, "not serial", *calm], gives_way=True),
        ],
    ]


def _folders(rooms: list[str]) -> list[str]:
    return [f"tests/{room}" for room in rooms if (servers.ROOT / "tests" / room).is_dir()]


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """The folder of all that tests write: in memory where there is room, since nothing is proved by
    waiting for a disk (processes are killed, not machines)."""
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    with tempfile.TemporaryDirectory(dir=MEMORY if is_roomy else None) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as a user of its own
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before


def migrate(environment: dict[str, str], url: str) -> None:
    """Make the database that every process of tests begins with a copy of."""
    command = [sys.executable, "-m", "tests.migrate"]
    subprocess.run(command, cwd=servers.ROOT, env={**environment, "DATABASE_URL": url}, check=True)


def run_pytest(run: Run, environment: dict[str, str]) -> Count:
    """One pytest; what it printed comes out in one piece, under its name."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder) / "report.xml", Path(folder) / "output"
        # Homes have sockets in them, whose paths must be short.
        more = [f"--junitxml={report}", f"--basetemp={folder}/t", "--durations=12"]
        command = ["nice"] if run.gives_way else []
        command += [sys.executable, "-m", "pytest", *run.words, *more]
        with output.open("w") as out:
            code = subprocess.call(
                command, cwd=servers.ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        count = _read_report(report) if report.exists() else Count()
        says = output.read_text(errors="replace")
    if code not in {0, NO_TESTS} and not count.failed:
        count += Count(failed=1)  # it ended without being able to say what went wrong
    print(f"{says}{run.database}: {count} ({time.monotonic() - begun:.0f} s)", flush=True)
    return count


def _read_report(report: Path) -> Count:
    total = Count()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        total += Count(int(suite.get("tests", 0)) - failed - skipped, failed, skipped)
    return total


def run_all() -> tuple[Count, Count, Count]:
    """All tests on SQLite; on a PostgreSQL of their own those that touch the database; and the
    front end's, beside them."""
    # Each source file is compiled once, not by each of a few hundred processes.
    unwanted = ("DATABASE_URL", "MIGRATED_DATABASE", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    counts = {"SQLite": Count(), "PostgreSQL": Count()}
    with contextlib.ExitStack() as running, ThreadPoolExecutor(4) as pool:
        browser = pool.submit(run_frontend)
        folder = running.enter_context(scratch())
        environment["TMPDIR"], file = folder, f"{folder}/migrated.sqlite3"
        urls = [f"sqlite:///{file}"]
        environments = {"SQLite": {**environment, "MIGRATED_DATABASE": file}}
        try:
            url = running.enter_context(servers.running_postgres())
            urls.append(servers.create_database(url, "migrated"))
            copies = {"DATABASE_URL": url, "MIGRATED_DATABASE": "migrated"}
            environments["PostgreSQL"] = {**environment, **copies}
        except servers.ServerMissing as error:
            print(f"PostgreSQL: {error}")
            counts["PostgreSQL"] = Count(failed=1) if IS_CI else Count(skipped=1)
        list(pool.map(lambda url: migrate(environment, url), urls))
        for turn in turns():
            runs = [run for run in turn if run.database in environments]
            done = pool.map(lambda run: run_pytest(run, environments[run.database]), runs)
            for run, count in zip(runs, done, strict=True):
                counts[run.database] += count
        return counts["SQLite"], counts["PostgreSQL"], browser.result()


def run_frontend() -> Count:
    """The front end's own tests."""
    passed, failed = frontend.test()
    return Count(passed, failed)


def main(words: list[str]) -> int:
    """With words, they go to pytest, on SQLite alone."""
    if words:
        return subprocess.call([sys.executable, "-m", "pytest", *words], cwd=servers.ROOT)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    install_servers()
    sqlite, postgres, browser = run_all()
    print(
        f"{sqlite.ran} tests ran on SQLite, {postgres.ran} on PostgreSQL, "
        f"{browser.ran} of the front end"
    )
    total = sqlite + postgres + browser
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
