"""How are the events of the log read back?"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from workflows.storage import sql


class Stored(NamedTuple):
    """An event as it is read back."""

    partition: int
    offset: int
    event_id: str
    type: str
    key: str
    accepted_at: float
    body: bytes


def read(channel_id: int, ranges: Sequence[tuple[int, int, int]]) -> list[Stored]:
    """The events of several (partition, offset, offset behind the last), in that order, except
    those that retention has taken."""
    return [
        Stored(partition, offset, event_id, kind, key, accepted_at, bytes(body))
        for partition, offset, event_id, kind, key, accepted_at, body in sql.find_many(
            'SELECT e."partition", e."offset", e.event_id, e.type, e.key, e.accepted_at, e.body'
            " FROM v CROSS JOIN workflows_event e WHERE e.channel_id = v.c"
            ' AND e."partition" = v.p AND e."offset" >= v.low AND e."offset" < v.high'
            " ORDER BY 1, 2",
            "c, p, low, high",
            [(channel_id, *one) for one in ranges],
        )
    ]


def read_one(channel_id: int, partition: int, offset: int) -> Stored | None:
    """The event at one position, or None when retention has taken it (or it never was)."""
    found = read(channel_id, [(partition, offset, offset + 1)])
    return found[0] if found else None


def read_at(places: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], Stored]:
    """The events at these (channel, partition, offset), by place, except those that are gone."""
    wanted = sorted(set(places))
    rows = sql.find_many(
        'SELECT v.c, e."partition", e."offset", e.event_id, e.type, e.key, e.accepted_at, e.body'
        " FROM v CROSS JOIN workflows_event e"
        ' WHERE e.channel_id = v.c AND e."partition" = v.p AND e."offset" = v.n',
        "c, p, n",
        wanted,
    )
    return {
        (channel_id, partition, offset): Stored(
            partition, offset, event_id, kind, key, accepted_at, bytes(body)
        )
        for channel_id, partition, offset, event_id, kind, key, accepted_at, body in rows
    }
