"""Journeys use the product from outside: HTTP in, HTTP out, sockets; real processes between."""

from collections.abc import Iterator

import pytest

from tests.sink import Sink, running_sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server
