"""How long must somebody wait who keeps guessing passwords?

Every try counts before its password is looked at, by account and by address, whether or not the
account exists. Past the free tries each further one must wait, longer and longer. The counts lie
in Redis: losing them lets people try again sooner, and does no other harm.
"""

import hashlib
import ipaddress
import logging
import unicodedata
from typing import NamedTuple

import redis

from workflows.tasks.nudge import connection

log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 5, 300  # seconds; each wait is twice the one before
_REMEMBERED = 3600  # seconds after the last try


class Limit(NamedTuple):
    """A count of tries, and how many of them are free."""

    key: str
    free: int


def limits(username: str, address: str) -> list[Limit]:
    """What a try counts against. Many people may share an address, so it has more free tries."""
    name = unicodedata.normalize("NFKC", username).casefold()
    found = [Limit(_key("account", name), 5)]
    if address:
        found.append(Limit(_key("address", _network(address)), 50))
    return found


def wait_after(tries: int, free: int) -> int:
    """How many seconds lie between a try and the next one."""
    if tries < free:
        return 0
    return int(min(_FIRST_WAIT * 2 ** min(tries - free, 20), _LONGEST_WAIT))


def enter(some: list[Limit]) -> int:
    """Count a try. 0: it may go on; else the seconds to wait, and it wasn't counted."""
    try:
        client = connection()
        wait = max(_still(client, limit) for limit in some)
        return wait or max(_count(client, limit) for limit in some)
    except redis.RedisError as problem:
        log.warning("logins are not throttled, Redis is away: %s", problem)
        return 0


def succeeded(some: list[Limit]) -> None:
    """The password was right: its account begins anew, and the address gets its try back."""
    account, *others = some
    try:
        client = connection()
        client.delete(account.key, _gate(account))
        for limit in others:
            _add(client, limit, -1)
    except redis.RedisError as problem:
        log.warning("a login was not taken off the count, Redis is away: %s", problem)


def _still(client: redis.Redis, limit: Limit) -> int:
    """The seconds until the next try may come; 0 when it may come now."""
    left = int(client.pttl(_gate(limit)))
    return max(0, -(-left // 1000))


def _count(client: redis.Redis, limit: Limit) -> int:
    """One more try; of several at once that come too soon, one passes and the others wait."""
    tries = _add(client, limit, 1)
    wait = wait_after(tries, limit.free)
    if not wait or client.set(_gate(limit), 1, nx=True, ex=wait):
        return 0
    return _still(client, limit)


def _add(client: redis.Redis, limit: Limit, n: int) -> int:
    with client.pipeline() as pipe:
        pipe.incrby(limit.key, n)
        pipe.expire(limit.key, _REMEMBERED)
        return int(pipe.execute()[0])


def _gate(limit: Limit) -> str:
    return f"{limit.key}:wait"


def _key(kind: str, value: str) -> str:
    return f"eventflow:login:{kind}:{hashlib.sha256(value.encode()).hexdigest()}"


def _network(address: str) -> str:
    """What one machine can't easily change: its IPv4 address, or the first half of its IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), False))
