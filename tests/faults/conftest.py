"""Fault tests break what runs: processes are killed, Valkey is emptied, and nothing may be lost."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.sink import Sink, running_sink

if connection.vendor == "sqlite":  # it is one file on one machine, and has no clock of its own
    collect_ignore = ["test_clocks.py", "test_machines.py"]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server
