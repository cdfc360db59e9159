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
APT_PACKAGES = {
    "postgresql-15": "/usr/lib/postgresql/*/bin/initdb",
    "chromium": "/usr/bin/chromium",
    "faketime": "/usr/lib/*/faketime/libfaketime.so.1",
}
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30  # containers often have 64 MB
NO_TESTS = 5  # pytest's exit code when a selection is empty


Run = tuple[str, list[str]]  # one pytest: its database, and its words


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

    First the tests that can share the machine with any other; then the serial ones, which wait
    about as much as they work: one process for each database asks for one after the other. With
    two for each, tests that allow a worker two seconds failed now and then.
    """
    on_both = [f"tests/{room}" for room in ON_POSTGRES if (servers.ROOT / "tests" / room).is_dir()]
    two, one_by_one = ["-n", "2", "-m"], ["-n", "1", "-m"]
    return [
        [
            ("SQLite", [*two, "not serial"]),
            ("PostgreSQL", [*two, "not serial and not sqlite_alone", *on_both]),
        ],
        [
            ("SQLite", [*one_by_one, "serial"]),
            ("PostgreSQL", [*one_by_one, "serial and not sqlite_alone", *on_both]),
        ],
    ]


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


def run_pytest(name: str, words: list[str], environment: dict[str, str]) -> Count:
    """One pytest; what it printed comes out in one piece, under its name."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder) / "report.xml", Path(folder) / "output"
        more = [f"--junitxml={report}", "--durations=12"]
        command = [sys.executable, "-m", "pytest", *words, *more]
        with output.open("w") as out:
            code = subprocess.call(
                command, cwd=servers.ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        count = _read_report(report) if report.exists() else Count()
        says = output.read_text(errors="replace")
    if code not in {0, NO_TESTS} and not count.failed:
        count += Count(failed=1)  # it ended without being able to say what went wrong
    print(f"{says}{name}: {count} ({time.monotonic() - begun:.0f} s)", flush=True)
    return count


def _read_report(report: Path) -> Count:
    total = Count()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        total += Count(int(suite.get("tests", 0)) - failed - skipped, failed, skipped)
    return total


def run_on_both() -> tuple[Count, Count]:
    """All tests on SQLite, and on a PostgreSQL of their own those that touch the database."""
    # Each source file is compiled once, not by each of a few hundred processes.
    unwanted = ("DATABASE_URL", "MIGRATED_DATABASE", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    counts = {"SQLite": Count(), "PostgreSQL": Count()}
    with contextlib.ExitStack() as running, ThreadPoolExecutor() as pool:
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
            runs = [(name, words) for name, words in turn if name in environments]
            done = pool.map(lambda run: run_pytest(*run, environments[run[0]]), runs)
            for (name, _), count in zip(runs, done, strict=True):
                counts[name] += count
    return counts["SQLite"], counts["PostgreSQL"]


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
    sqlite, postgres = run_on_both()
    browser = run_frontend()
    print(
        f"{sqlite.ran} tests ran on SQLite, {postgres.ran} on PostgreSQL, "
        f"{browser.ran} of the front end"
    )
    total = sqlite + postgres + browser
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
