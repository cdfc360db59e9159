"""Which addresses flows may call."""

import pytest

from workflows.connectors.guard import may_call, parse_networks

ALLOWED = parse_networks(["10.1.0.0/16", "::1"])


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("10.1.2.3", True),  # allowed by setting
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # cloud metadata
        ("100.64.0.1", False),  # carrier-grade NAT
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", True),  # allowed by setting
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),  # IPv4 in IPv6's clothes
        ("::ffff:10.1.2.3", True),
        ("64:ff9b::7f00:1", False),  # NAT64 of 127.0.0.1
        ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
        ("localhost", False),  # a name is no address
        ("", False),
    ],
)
def test_only_public_and_allowed_addresses_may_be_called(address: str, good: bool) -> None:
    assert may_call(address, ALLOWED) is good


def test_a_bad_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        parse_networks(["10.0.0.0/99"])
