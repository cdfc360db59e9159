"""Fault tests break what runs: processes are killed, Valkey is emptied, and nothing may be lost."""

from collections.abc import Iterator

import pytest

from tests.sink import Sink, running_sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server
