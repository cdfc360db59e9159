"""What does a drain do next with what is unread: take some, lease some first, or wait?

What fits into one batch is taken at once. A longer backlog is leased first, lest several workers
run the same events in vain; so is one whose batches were slow or fenced lately, and one at whose
position a lease was in vain (ADR 17 and 18).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from workflows.storage.cursors import Unread

BATCH = 500  # events a commit
_MOST_LEASED = 4  # partitions of a long backlog: the others are for other workers


WORTH_AHEAD = 16  # events, or calls
_ACTS_FOR = 5.0  # seconds that a lease must last for what is called under it


class Share(NamedTuple):
    """What is taken of one partition: its events from the first unread one up to `end`."""

    part: Unread
    end: int

    @property
    def keeps_lease(self) -> bool:
        """Whether the rest stays with who has leased the partition."""
        return self.part.is_leased and self.end < self.part.end


class Take(msgspec.Struct, frozen=True):
    """Read these and commit what becomes of them, in one go."""

    shares: list[Share]
    is_test: bool = False  # of one event that may kill workers
    acts: bool = False  # before the commit


class Lease(msgspec.Struct, frozen=True):
    """Keep others from these partitions, then look again."""

    partitions: list[int]
    leaves_some: bool = False  # to other workers, who may be told
    acting: bool = False


class Soon(msgspec.Struct, frozen=True):
    """Look again in a moment: calls that are under way will have been settled by then, and what is
    taken now could only be parked."""


class Wait(msgspec.Struct, frozen=True):
    """Take nothing: a channel that the events would be published to is full."""


def choose(
    parts: Sequence[Unread], room: int, size: int, ahead: int = -1
) -> Take | Lease | Soon | Wait:
    """What to do next with these partitions, of which each has something unread.

    `room` says how many events the channels behind the flow still take, `size` how many went well
    in one batch, and `ahead` for how many events effects may be made before their commit: none at
    all if it is negative.
    """
    if room <= 0:
        return Wait()
    most = min(room, size)
    suspect = _suspect(parts)
    if 0 <= ahead <= most and not suspect and _count(parts) >= WORTH_AHEAD:
        return _act(parts, ahead) if ahead else Soon()
    leased = [part for part in parts if part.is_leased]
    if not leased and (suspect or most < BATCH or _count(parts) > most):
        return lease([suspect] if suspect else parts)
    if suspect and suspect.is_leased:
        return Take(shares([suspect], 1), is_test=True)
    return Take(shares(leased or parts, most))


def _act(parts: Sequence[Unread], most: int) -> Take | Lease:
    """Only under a lease may effects be made before the commit: else two might make them."""
    mine = [part for part in parts if part.acts_for >= _ACTS_FOR]
    if _count(mine) >= WORTH_AHEAD:
        return Take(shares(mine, most), acts=True)
    if mine:
        return Take(shares(mine, most))
    return lease(parts, acting=True)


def lease(parts: Sequence[Unread], *, acting: bool = False) -> Lease:
    """All of these partitions; the longest of a backlog that is worth a second worker, as it is
    where calls are waited for."""
    most = _MOST_LEASED if acting or _count(parts) > BATCH else len(parts)
    longest = sorted(parts, key=lambda part: part.position - part.end)[:most]
    return Lease(sorted(part.partition for part in longest), len(longest) < len(parts), acting)


def shares(parts: Sequence[Unread], most: int) -> list[Share]:
    """So many events, each partition having its fair share."""
    each = max(1, most // len(parts))
    return [Share(part, min(part.end, part.position + each)) for part in parts[:most]]


def _suspect(parts: Sequence[Unread]) -> Unread | None:
    """The partition to look through next of those at whose position a lease was in vain. One that
    is leased comes first, and only one is leased at a time, so that it is known which one it was.
    """
    found = [part for part in parts if part.attempts]
    if not found:
        return None
    return min(found, key=lambda part: (not part.is_leased, part.attempts, part.partition))


def _count(parts: Sequence[Unread]) -> int:
    return sum(part.end - part.position for part in parts)
