"""Is every part of an installation well, and if not, what is to be done?"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from workflows.management import probe
from workflows.management.valkey import AT_ONCE, OLDEST
from workflows.management.variables import unknown_names

OK, WARN, FAIL = "ok", "warn", "fail"
START = "start it with make run"
WORKER_KEYS, TIMERS_KEY = "eventflow:worker:*", "eventflow:timers"
LEAST_DISK, LEAST_INODES = 1_000_000_000, 10_000  # bytes; files
CLOCK_SLACK = 2.0  # seconds


@dataclass(frozen=True)
class Finding:
    """One part's state: "ok", "warn" or "fail", and what to do unless it is well."""

    part: str
    level: str
    says: str


def examine(host: str, port: int) -> Iterator[Finding]:
    """Every part, in the order in which they lean on one another."""
    yield from guarded("database", check_database)
    yield from guarded("clock", check_clock)
    yield from guarded("redis", check_redis)
    yield from guarded("worker", check_worker)
    yield from guarded("timers", check_timers)
    yield check_web(host, port, "/healthz", "web")
    yield check_web(host, port, "/readyz", "readiness")
    yield check_socket(host, port)
    yield check_webhooks(settings.ALLOWED_HOSTS)
    yield from guarded("home", lambda: check_home(settings.EVENTFLOW_HOME))
    yield from guarded("disk", lambda: check_disk(settings.EVENTFLOW_HOME))
    yield check_settings(os.environ)


def guarded(part: str, check: Callable[[], Finding]) -> Iterator[Finding]:
    """A check that breaks is a finding too."""
    try:
        yield check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        yield Finding(part, FAIL, f"{str(error).strip() or type(error).__name__}; {START}")


def check_database() -> Finding:
    """It can be reached, is migrated, and takes writes; SQLite keeps a write-ahead log."""
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return Finding("database", FAIL, f"{len(missing)} migrations to do: manage.py migrate")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE eventflow_doctor (x integer)")
        transaction.set_rollback(True)
    if connection.vendor == "sqlite" and (mode := _journal_mode()) != "wal":
        return Finding("database", FAIL, f"journal_mode is {mode}, not wal: is it a network disk?")
    return Finding("database", OK, f"{connection.display_name}, migrated, takes writes")


def _journal_mode() -> str:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        return str(cursor.fetchone()[0]).lower()


def check_clock() -> Finding:
    """Leases are compared with the database's clock, so that the machine's should agree."""
    query = {
        "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
        "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    }[connection.vendor]
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute(query)
        theirs = float(cursor.fetchone()[0])
        ours = (before + time.time()) / 2
    return judge_clock(theirs - ours)


def judge_clock(ahead: float) -> Finding:
    """`ahead`: by how many seconds the database's clock is ahead of the machine's."""
    if abs(ahead) > CLOCK_SLACK:
        direction = "ahead of" if ahead > 0 else "behind"
        says = f"the database is {abs(ahead):.1f} s {direction} this machine: run NTP on both"
        return Finding("clock", WARN, says)
    return Finding("clock", OK, "database and machine agree")


def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, retry=AT_ONCE)


def check_redis() -> Finding:
    """It answers and is new enough."""
    with _redis() as client:
        facts = client.info("server")
    version = str(facts.get("valkey_version") or facts["redis_version"])
    if tuple(int(word) for word in version.split(".")[:2]) < OLDEST:
        return Finding("redis", FAIL, f"version {version} is too old: 6.2 or newer is needed")
    return Finding("redis", OK, f"version {version}")


def check_worker() -> Finding:
    """Each worker renews a key that lives for ten seconds."""
    with _redis() as client:
        count = sum(1 for _ in client.scan_iter(WORKER_KEYS))
    if not count:
        return Finding("worker", FAIL, f"none is running, so events wait; {START}")
    return Finding("worker", OK, f"{count} running")


def check_timers() -> Finding:
    """The tick renews a key; without it, retries, delays and schedules wait."""
    with _redis() as client:
        if not client.exists(TIMERS_KEY):
            return Finding("timers", FAIL, f"no tick has come lately; {START}")
    return Finding("timers", OK, "ticking")


def check_web(host: str, port: int, path: str, part: str) -> Finding:
    """The web process answers 200 on `path`."""
    status, body = probe.get(host, port, path)
    if status is None:
        return Finding(part, FAIL, f"nothing answers on port {port}; {START}, or name the PORT")
    if status != 200:
        return Finding(part, FAIL, f"{path} answers {status}: {body[:200].strip()}")
    return Finding(part, OK, f"{path} answers")


def check_socket(host: str, port: int) -> Finding:
    """An upgrade is understood; that a stranger is turned away (403) is well too."""
    status = probe.upgrade(host, port, "/ws/main/flows/doctor")
    if status in {101, 401, 403}:
        return Finding("websocket", OK, "upgrades are answered")
    if status is None:
        return Finding("websocket", FAIL, f"nothing answers on port {port}; {START}")
    says = f"an upgrade is answered with {status}: does a proxy drop the Upgrade header?"
    return Finding("websocket", FAIL, says)


def check_webhooks(hosts: list[str]) -> Finding:
    """Who can call the webhook addresses is decided by the host names that are answered to."""
    near = {"localhost", "127.0.0.1", "[::1]"}
    if set(hosts) <= near:
        says = "only this machine can call; for others set EVENTFLOW_ALLOWED_HOSTS"
        return Finding("webhooks", OK, says)
    return Finding("webhooks", OK, f"answered for {', '.join(sorted(set(hosts) - near))}")


def check_home(home: Path) -> Finding:
    """It is there, writable, and nobody else's."""
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding("home", FAIL, f"{home} is not writable: change its owner or mode")
    if home.stat().st_mode & 0o077:
        return Finding("home", WARN, f"others can look into {home}: chmod 700 {home}")
    return Finding("home", OK, f"{home} is private and writable")


def check_disk(home: Path) -> Finding:
    """There is room for the log to grow."""
    files = os.statvfs(home)
    return judge_disk(shutil.disk_usage(home).free, files.f_favail if files.f_files else None)


def judge_disk(free_bytes: int, free_inodes: int | None) -> Finding:
    """`free_inodes` is None where the file system doesn't count them."""
    if free_bytes < LEAST_DISK:
        return Finding("disk", FAIL, f"{free_bytes / 1e6:.0f} MB free: make room for the log")
    if free_inodes is not None and free_inodes < LEAST_INODES:
        return Finding("disk", FAIL, f"{free_inodes} inodes free: remove small files")
    return Finding("disk", OK, f"{free_bytes / 1e9:.0f} GB free")


def check_settings(environment: Mapping[str, str]) -> Finding:
    """No `EVENTFLOW_*` name that nothing reads."""
    if strangers := unknown_names(environment):
        return Finding("settings", WARN, f"nothing reads {', '.join(strangers)}: a typing mistake?")
    return Finding("settings", OK, "every EVENTFLOW_ name is known")
