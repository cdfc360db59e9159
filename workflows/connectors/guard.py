"""Which addresses may a flow call? Public ones, and the networks that the operator has allowed.

Guards against server-side request forgery: the address checked is the one connected to, whatever
name led there, redirects included.
"""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EMBEDDED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64
    ipaddress.ip_network("2002::/16"),  # 6to4
)


def parse_networks(words: Sequence[str]) -> tuple[Network, ...]:
    """`["127.0.0.0/8", "10.1.2.3"]` as networks. Raises ValueError naming the bad word."""
    return tuple(ipaddress.ip_network(word, strict=False) for word in words)


def may_call(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection to this IP address (no name) may be made."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    if any(ip.version == network.version and ip in network for network in allowed):
        return True
    if ip.version == 6 and any(ip in network for network in _EMBEDDED):
        return False
    return ip.is_global and not ip.is_multicast
