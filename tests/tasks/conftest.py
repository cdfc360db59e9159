"""Tests of the tasks run them in this process, against a real database, Valkey and HTTP sink."""

from collections.abc import Iterator

import pytest

from tests.servers import forget_celery_connections
from tests.sink import Sink, running_sink
from workflows.tasks import process


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server


@pytest.fixture(autouse=True)
def _performer(transactional_db: None, valkey: str) -> Iterator[None]:
    """Each test gets a performer of its own, ended while its database is still there."""
    yield
    process.stop(5.0)
    forget_celery_connections()
