"""What does every test stand on? Folders and servers of its own, never the developer's.

The environment is fixed here, before Django reads it: each pytest process has its own home and
its own Valkey (started by the first test that needs it). `DATABASE_URL` is the caller's choice:
unset means SQLite in a file, since worker processes share it.
"""

import atexit
import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
from pytest_django import plugin

# Little of what is loaded is garbage. The collector looks for some as seldom as a worker's does.
gc.set_threshold(50_000, 20, 50)

MIGRATED = os.environ.get("MIGRATED_DATABASE")  # a file, or a database of the same server
HOME = Path(tempfile.mkdtemp(prefix="eventflow-test-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in [name for name in os.environ if name.startswith("EVENTFLOW_")]:
    del os.environ[name]
os.environ["DJANGO_SETTINGS_MODULE"] = "eventflow.settings"
os.environ["EVENTFLOW_HOME"] = str(HOME)
os.environ["REDIS_URL"] = f"unix://{HOME}/valkey.sock?db=0"
os.environ["EVENTFLOW_HTTP_ALLOW"] = "127.0.0.0/8"
os.environ.pop("CELERY_BROKER_URL", None)

# Linux shares processors out by sessions first. Eventflow's workers give way to its web process,
# and in one session they gave way to those of all tests that run beside this one. What gives way as
# a process does so as a session.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(os.nice(0)))

import django  # noqa: E402

django.setup()
# A worker of pytest-xdist inherits this environment, and pytest-django would load the settings
# there before this file could give the worker a home of its own.
del os.environ["DJANGO_SETTINGS_MODULE"]

from django.conf import settings  # noqa: E402
from django.contrib.contenttypes.management import create_contenttypes  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models.signals import post_migrate  # noqa: E402

assert HOME.resolve() == settings.EVENTFLOW_HOME, "the settings were loaded too early"

# What costs each test a tenth of a second and decides nothing that is tested here: slow password
# hashes, a listing of all static files for each client, and rows of Django's own permissions,
# made anew after each flush of the database. Processes of their own (`Stack`) have all of it.
settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    *settings.PASSWORD_HASHERS,
]
settings.WHITENOISE_AUTOREFRESH = True
post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
post_migrate.disconnect(create_contenttypes)

# Few examples here, since the whole suite is run often; `make soak` tries a thousand.
# How long an example takes to draw or to run is the machine's affair.
_untimed = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("quick", _untimed, max_examples=25)
hypothesis.settings.register_profile("thorough", _untimed, max_examples=1_000)
hypothesis.settings.load_profile("quick")

from tests import emptying, servers  # noqa: E402
from workflows.management import children  # noqa: E402

FAULTS = Path(__file__).parent / "faults"
PURE_ROOMS = {Path(__file__).parent / room for room in ("engine", "nodes", "schemas")}


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The deciding rooms know no framework: what pytest-django sets up around each test of the
    others takes longer than most of theirs. The database stays out of their reach.

    Faults come first: what takes longest must not begin when all other processes have ended. Those
    that share an installation come last: nothing else may use its database while it runs."""
    items.sort(key=lambda item: (_shares(item), item.path.parent != FAULTS))
    for item in items:
        if item.path.parent in PURE_ROOMS:
            item.fixturenames[:] = [n for n in item.fixturenames if not _is_of_django(n)]
        if _shares(item):
            item.fixturenames.remove("_django_db_marker")  # it would empty the database


def _shares(item: Any) -> bool:
    return "installation" in item.fixturenames


def _is_of_django(name: str) -> bool:
    return name.startswith(("_", "django_")) and hasattr(plugin, name)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the garbage collector need not look through it again."""
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """A copy of a migrated database is taken as it is, and left to those who remove the server or
    the folder: threads may still be connected."""
    return MIGRATED is not None


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Where `make test` has migrated a database for all processes, begin with a copy of it."""
    if MIGRATED is not None:
        _begin_with(MIGRATED, connections["default"])


def _begin_with(migrated: str, connection: Any) -> None:
    if connection.vendor == "sqlite":
        shutil.copy(migrated, connection.settings_dict["TEST"]["NAME"])
    else:
        connection.settings_dict["TEST"]["TEMPLATE"] = migrated


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Only what a test filled is emptied: PostgreSQL takes a tenth of a second to truncate all."""
    connection = connections["default"]
    connection.ops.sql_flush = partial(emptying.statements, connection)  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The URL of this process's own Valkey, which is also `settings.REDIS_URL`."""
    with servers.running_valkey(HOME) as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of this process's own, whatever the suite itself runs on."""
    with contextlib.ExitStack() as running:
        try:
            url = running.enter_context(servers.running_postgres())
        except servers.ServerMissing as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield url


@pytest.fixture
def free_port() -> int:
    """A loopback port that nothing listens on."""
    return servers.free_port()


def database_url() -> str:
    """The URL of the test database itself, for a process that is not this one."""
    config = connections["default"].settings_dict
    if connections["default"].vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    return f"postgres://{config['USER']}@{config['HOST']}:{config['PORT']}/{config['NAME']}"


@pytest.fixture(scope="session")
def environment_of_children(django_db_setup: None, valkey: str) -> dict[str, str]:
    """What a process needs in its environment to share the test database and Valkey."""
    return dict(children.environment(HOME, valkey, DATABASE_URL=database_url()))


@pytest.fixture
def stack_environment(
    transactional_db: None, environment_of_children: dict[str, str]
) -> dict[str, str]:
    """The same, with a database that is emptied after this test."""
    return environment_of_children


@pytest.fixture
def stack(stack_environment: dict[str, str], tmp_path: Path) -> Iterator[servers.Stack]:
    """Web, workers and timers on this test's database; nothing runs until `stack.start()`."""
    with _stack(tmp_path, stack_environment) as running:
        yield running


@pytest.fixture(scope="module")
def web_alone(
    environment_of_children: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[servers.Stack]:
    """One web process for the tests of a file, without workers. It may outlive their rows: what it
    remembers goes by ids, and none is used again."""
    with _stack(tmp_path_factory.mktemp("web"), environment_of_children) as running:
        running.start(workers=0, timers=False)
        yield running


@pytest.fixture(scope="session")
def installation(
    environment_of_children: dict[str, str],
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[servers.Stack]:
    """One running installation for all tests that only use it, as people do; they come last. Each
    has flows of its own, since rows stay: nothing is deleted under a worker's hands."""
    with django_db_blocker.unblock():
        folder = tmp_path_factory.mktemp("installation")
        with _stack(folder, environment_of_children) as running:
            running.start()
            yield running
        call_command("flush", interactive=False, verbosity=0)


@contextlib.contextmanager
def _stack(folder: Path, environment: dict[str, str]) -> Iterator[servers.Stack]:
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        client.flushall()
    running = servers.Stack(folder, environment)
    try:
        yield running
    finally:
        running.close()
