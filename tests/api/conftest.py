"""Tests of the API go through Django's whole stack, against a real database."""

from collections.abc import Callable, Iterator

import pytest

from workflows.models import Flow, Subscription
from workflows.tasks import process
from workflows.tasks.drain import drain_slice


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """Sessions that send events commit in a thread of their own."""


@pytest.fixture
def work(valkey: str) -> Iterator[Callable[[Flow], None]]:
    """Lets a flow take all of its events, in this process."""

    def drain(flow: Flow) -> None:
        for one in Subscription.objects.filter(flow=flow):
            while drain_slice(one.pk):
                pass

    yield drain
    process.stop(5.0)
