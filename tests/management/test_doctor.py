"""Does the doctor find what is wrong, and say what to do?"""

import stat
from pathlib import Path

import pytest
import redis

from tests.servers import Stack, free_port, run_manage, wait_until
from workflows.management import checks
from workflows.management.checks import FAIL, OK, WARN


def test_it_finds_nothing_running(stack_environment: dict[str, str], valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    port = str(free_port())
    done = run_manage("doctor", "--port", port, environment=stack_environment)
    found = dict(line.split(None, 2)[1::-1] for line in done.stdout.splitlines())
    assert done.returncode == 1
    assert {part for part, level in found.items() if level == FAIL} == {
        "worker",
        "timers",
        "web",
        "readiness",
        "websocket",
    }
    assert found["database"] == found["redis"] == found["clock"] == found["disk"] == OK
    assert "make run" in done.stdout


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_it_is_content_with_a_running_installation(
    installation: Stack, environment_of_children: dict[str, str]
) -> None:
    def says() -> str:
        port = str(installation.port)
        return run_manage("doctor", "--port", port, environment=environment_of_children).stdout

    wait_until(lambda: FAIL not in says(), 20, "health")


def test_it_names_the_cause_when_redis_is_gone(stack_environment: dict[str, str]) -> None:
    gone = {**stack_environment, "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = run_manage("doctor", environment=gone)
    assert done.returncode == 1
    assert any(line.startswith("fail redis") for line in done.stdout.splitlines())


def test_migrations_to_do_are_a_failure(stack_environment: dict[str, str], tmp_path: Path) -> None:
    empty = {**stack_environment, "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"}
    assert "manage.py migrate" in run_manage("doctor", environment=empty).stdout


@pytest.mark.parametrize(
    ("ahead", "level"),
    [
        (0.3, OK),
        (-1.9, OK),
        (2.5, WARN),  # leases would seem longer than they are
        (-60.0, WARN),
    ],
)
def test_clocks_may_differ_by_two_seconds(ahead: float, level: str) -> None:
    assert checks.judge_clock(ahead).level == level


@pytest.mark.parametrize(
    ("free_bytes", "free_inodes", "level"),
    [
        (50 * 10**9, 10**6, OK),
        (50 * 10**9, None, OK),  # a file system without inodes
        (10**8, 10**6, FAIL),
        (50 * 10**9, 10, FAIL),
    ],
)
def test_a_full_disk_is_a_failure(free_bytes: int, free_inodes: int | None, level: str) -> None:
    assert checks.judge_disk(free_bytes, free_inodes).level == level


def test_a_home_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRWXU | stat.S_IRGRP)
    assert checks.check_home(tmp_path).level == WARN
    tmp_path.chmod(stat.S_IRWXU)
    assert checks.check_home(tmp_path).level == OK


def test_a_misspelt_setting_is_a_warning() -> None:
    found = checks.check_settings({"EVENTFLOW_ALLOWED_HOST": "example.org"})
    assert found.level == WARN and "EVENTFLOW_ALLOWED_HOST" in found.says
