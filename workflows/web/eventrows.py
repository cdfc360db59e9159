"""Which events does a list show? The newest of one channel, filtered, in pages that miss none."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.db.models import Q

from workflows.models import Channel, Event, Head
from workflows.storage import log, sql
from workflows.web.paging import Bounds, Entry, go_on, weave

SEARCHED = 20_000  # a partition's newest events that a filter by type looks through


class Wanted(NamedTuple):
    """A list's filters: the beginning of a type, a whole key, a whole id."""

    type: str = ""
    key: str = ""
    id: str = ""


class Line(NamedTuple):
    """An event as a list shows it."""

    position: str  # channel-partition-offset
    event_id: str
    type: str
    key: str
    at: datetime
    glance: str  # the beginning of its data


class Lines(NamedTuple):
    lines: list[Line]
    older: str


_GLANCE = 160
_COLUMNS = ("channel_id", "partition", "offset", "event_id", "type", "key", "accepted_at", "body")


def lines(channel: Channel, wanted: Wanted, bounds: Bounds, limit: int) -> Lines:
    """The newest events of a channel, newest first."""
    if wanted.id:
        return Lines(by_id([channel.pk], wanted.id, limit), "")
    heads = Head.objects.filter(channel=channel)
    if wanted.key:
        heads = heads.filter(partition=log.partition_of(wanted.key, channel.partitions))
    entries = _entries(channel.pk, list(heads), wanted, bounds, limit + 1)
    shown, more = weave(entries, limit)
    return Lines(_read(channel.pk, shown), go_on(bounds, shown) if more else "")


def by_id(channel_ids: Sequence[int], event_id: str, limit: int) -> list[Line]:
    """The events of that id in these channels, newest first."""
    found = Event.objects.filter(event_id=event_id, channel_id__in=channel_ids)
    return [_line(row) for row in found.order_by("-accepted_at").values_list(*_COLUMNS)[:limit]]


def newest(channel: Channel) -> dict[str, Any] | None:
    """The newest event of a channel, or None."""
    entries = _entries(channel.pk, list(Head.objects.filter(channel=channel)), Wanted(), {}, 1)
    if not entries:
        return None
    last = max(entries, key=lambda entry: entry.at)
    stored = log.read_one(channel.pk, last.stream, last.number)
    return None if stored is None else dict(orjson.loads(stored.body))


def _entries(
    channel_id: int, heads: Sequence[Head], wanted: Wanted, bounds: Bounds, limit: int
) -> list[Entry]:
    pieces: list[str] = []
    params: list[object] = []
    for head in heads:
        where = 'channel_id = %s AND "partition" = %s AND "offset" < %s'
        params += [channel_id, head.partition, bounds.get(head.partition, head.head)]
        if wanted.type or wanted.key:
            where += ' AND "offset" >= %s'
            params.append(head.head - SEARCHED)
        if wanted.type:
            where += " AND substr(type, 1, %s) = %s"
            params += [len(wanted.type), wanted.type]
        if wanted.key:
            where += " AND key = %s"
            params.append(wanted.key)
        pieces.append(
            'SELECT * FROM (SELECT "partition", "offset", accepted_at FROM workflows_event'
            f' WHERE {where} ORDER BY "offset" DESC LIMIT %s) AS newest'
        )
        params.append(limit)
    if not pieces:
        return []
    return [Entry(*row) for row in sql.fetch(" UNION ALL ".join(pieces), params)]


def _read(channel_id: int, shown: Sequence[Entry]) -> list[Line]:
    if not shown:
        return []
    offsets: dict[int, list[int]] = {}
    for entry in shown:
        offsets.setdefault(entry.stream, []).append(entry.number)
    wanted = Q()
    for partition, some in offsets.items():
        wanted |= Q(partition=partition, offset__in=some)
    rows = Event.objects.filter(wanted, channel_id=channel_id).values_list(*_COLUMNS)
    found = {(row[1], row[2]): row for row in rows}
    return [_line(found[entry[:2]]) for entry in shown if entry[:2] in found]


def _line(row: tuple[Any, ...]) -> Line:
    channel_id, partition, offset, event_id, kind, key, accepted_at, body = row
    return Line(
        f"{channel_id}-{partition}-{offset}",
        event_id,
        kind,
        key,
        datetime.fromtimestamp(accepted_at, UTC),
        glance(orjson.loads(bytes(body))),
    )


def glance(body: dict[str, Any]) -> str:
    """The beginning of an event's data, in one line."""
    if body.get("data_base64") is not None:
        return "binary data"
    text = orjson.dumps(body.get("data")).decode()
    return text if len(text) <= _GLANCE else text[:_GLANCE] + "…"
