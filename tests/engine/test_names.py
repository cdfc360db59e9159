"""Are names taken that a node can refer to, and no others?"""

import pytest

from workflows.engine.names import channel_refusal, connection_refusal, flow_refusal

# name -> whether a channel and a connection may have it
NAMES = [
    ("orders-2", True, True),
    ("o", True, True),
    ("a" * 60, True, True),
    ("a" * 61, True, False),
    ("a" * 64, True, False),
    ("a" * 65, False, False),
    ("hub_2", False, True),
    ("Orders", False, False),  # no node's configuration takes a capital
    ("-orders", False, False),
    ("orders-", False, False),
    ("orders.in", False, False),  # the dot is for private inboxes
    ("orders\n", False, False),
    ("", False, False),  # a node without a connection gives this
]


@pytest.mark.parametrize(("name", "is_channel", "is_connection"), NAMES)
def test_a_name_is_refused_with_what_to_do(
    name: str, is_channel: bool, is_connection: bool
) -> None:
    for refusal, is_taken in (
        (channel_refusal(name), is_channel),
        (connection_refusal(name), is_connection),
    ):
        assert refusal.startswith("Use small letters") is not is_taken
        assert bool(refusal) is not is_taken


# slug -> how the refusal begins
SLUGS = [
    ("orders-2", ""),
    ("Orders_2", ""),
    ("a" * 60, ""),
    ("a" * 61, "Use 1 to 60"),
    ("", "Use 1 to 60"),
    ("or ders", "Use 1 to 60"),
    ("orders\n", "Use 1 to 60"),
    ("\u00f6rders", "Use 1 to 60"),
    ("new", "“new” is an address"),
    ("import", "“import” is an address"),
    ("New", ""),
]


@pytest.mark.parametrize(("slug", "begins"), SLUGS)
def test_a_flow_may_be_called_what_an_address_can_hold(slug: str, begins: str) -> None:
    assert flow_refusal(slug).startswith(begins)
    assert bool(flow_refusal(slug)) is bool(begins)
