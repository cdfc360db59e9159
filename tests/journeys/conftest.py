"""Journeys use the product from outside: HTTP in, HTTP out, sockets; real processes between.

All of them share one installation, as users do: each has flows and people of its own.
"""

from collections.abc import Iterator

import pytest

from tests.sink import Sink, running_sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server
