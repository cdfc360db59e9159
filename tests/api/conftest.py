"""Tests of the API go through Django's whole stack, against a real database."""

import pytest


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """Sessions that send events commit in a thread of their own."""
