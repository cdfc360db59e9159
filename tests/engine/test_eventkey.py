"""Which key does an event get in a channel?"""

import pytest

from workflows.engine.event import JSON
from workflows.engine.eventkey import event_key

EVENT: dict[str, JSON] = {
    "id": "e1",
    "source": "/test",
    "type": "OrderCreated",
    "data": {"amount": 150},
}


@pytest.mark.parametrize(
    ("more", "expression", "key", "problem"),
    [
        ({}, "", "e1", ""),
        ({"subject": "s"}, "event.data.amount", "s", ""),
        ({"subject": "s", "partitionkey": "p"}, "event.data.amount", "p", ""),
        ({}, "event.data.amount", "150", ""),
        ({}, "event.type", "OrderCreated", ""),
        ({}, "event.data", '{"amount":150}', ""),
        ({}, "event.data.order", "e1", "order"),
        ({"data": {"order": None}}, "event.data.order", "e1", "empty"),
        ({"data": {"order": ""}}, "event.data.order", "e1", "empty"),
        ({}, "1 +", "e1", "end"),
    ],
)
def test_the_key_is_what_the_event_names_then_what_the_channel_works_out_then_the_id(
    more: dict[str, JSON], expression: str, key: str, problem: str
) -> None:
    found = event_key({**EVENT, **more}, expression)
    assert found.text == key
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)


def test_a_long_key_fits_its_column() -> None:
    event = {**EVENT, "data": {"order": "x" * 1_000}}
    assert len(event_key(event, "event.data.order").text) <= 255
