"""How does a list show events? One line each, with a glance at the data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from workflows.models import Channel
from workflows.storage import eventpages
from workflows.storage.eventpages import EventRow, Wanted
from workflows.storage.pages import Bounds, Place
from workflows.web.paging import write_bounds

_GLANCE = 160


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
    older: str  # the cursor of the page after this one; "" when this is the last
    since: datetime | None  # back to when it looked, where it didn't look until it was full


def lines(channel_ids: Sequence[int], wanted: Wanted, bounds: Bounds, limit: int) -> Lines:
    """The newest events of these channels below the bounds, newest first."""
    rows, around = eventpages.page(channel_ids, wanted, Place(bounds), limit)
    bodies = eventpages.bodies(rows)
    found = [_line(row, bodies[row]) for row in rows if row in bodies]
    is_short = around.last is not None and len(rows) < limit
    since = eventpages.looked_back_to(around.last or {}) if is_short else None
    moment = None if since is None else datetime.fromtimestamp(since, UTC)
    return Lines(found, write_bounds(around.last or {}), moment)


def newest(channel: Channel) -> dict[str, Any] | None:
    """The newest event of a channel, or None."""
    body = eventpages.newest(channel.pk)
    return None if body is None else dict(orjson.loads(body))


def _line(row: EventRow, body: bytes) -> Line:
    return Line(
        row.position,
        row.event_id,
        row.type,
        row.key,
        datetime.fromtimestamp(row.accepted_at, UTC),
        glance(orjson.loads(body)),
    )


def glance(body: dict[str, Any]) -> str:
    """The beginning of an event's data, in one line."""
    if body.get("data_base64") is not None:
        return "binary data"
    text = orjson.dumps(body.get("data")).decode()
    return text if len(text) <= _GLANCE else text[:_GLANCE] + "…"
