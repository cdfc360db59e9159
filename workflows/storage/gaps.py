"""Does every event that a cursor took have its trace? Offsets are dense, so counting tells.

A look goes on from where the last one ended, up to the cursor. Of what lies before, it counts the
gaps again that were found, and a little of the rest, going round and round.
"""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from workflows.storage import sql

_MOST_GAPS = 20  # of a cursor; nearer ones are taken together
AGAIN = 4_000  # traces of a flow that one look counts again

Span = tuple[int, int]  # offsets: from, until


class Cursor(NamedTuple):
    """How far a cursor is, and how far it was checked; see `models.CursorCheck`."""

    subscription_id: int
    node: str
    partition: int
    position: int
    tail: int
    origin: int
    start: int
    checked: int
    again: int
    gaps: list[Span]


class Look(NamedTuple):
    """How far the traces of one cursor were checked before, and now."""

    subscription_id: int
    partition: int
    origin: int
    before: int
    checked: int
    counted: int  # offsets that were looked at for the first time
    again: int
    gaps: list[Span]
    is_whole: bool  # all that was taken has been looked at


class Lost(NamedTuple):
    """Events that a node took, so many between two offsets, and that have no trace."""

    node: str
    partition: int
    span: Span
    n: int


def begin(subscription_id: int, places: Mapping[int, int]) -> None:
    """Note, before a subscription's cursors are set, where they will begin: partition -> position.

    What they took until now stays counted; of it, what wasn't looked at yet counts as a gap until
    it has been.
    """
    before = {
        row[0]: (*row[1:4], _as_spans(row[4]))
        for row in sql.fetch(
            'SELECT c."partition", c.position, k.origin, k.checked, k.missing'
            " FROM workflows_cursor c JOIN workflows_cursorcheck k"
            ' ON k.subscription_id = c.subscription_id AND k."partition" = c."partition"'
            " WHERE c.subscription_id = %s",
            (subscription_id,),
        )
    }
    for partition, place in places.items():
        position, origin, checked, gaps = before.get(partition, (place, place, place, []))
        if checked < position:
            gaps = [*gaps, (checked, position)]
        sql.execute(
            'INSERT INTO workflows_cursorcheck (subscription_id, "partition", origin, start,'
            " checked, again, missing) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT"
            ' (subscription_id, "partition") DO UPDATE SET origin = excluded.origin,'
            " start = excluded.start, checked = excluded.checked, again = excluded.again,"
            " missing = excluded.missing",
            (
                subscription_id,
                partition,
                place - (position - origin),
                *([place] * 3),
                _as_json(gaps),
            ),
        )


def cursors_of(flow_id: int) -> list[Cursor]:
    """Those that have the fewest traces to be checked come first: a long backlog lets others by."""
    return [
        Cursor(*(*row[:9], _as_spans(row[9])))
        for row in sql.fetch(
            'SELECT c.subscription_id, s.node, c."partition", c.position, h.tail, k.origin,'
            " k.start, k.checked, k.again, k.missing FROM workflows_subscription s"
            " JOIN workflows_cursor c ON c.subscription_id = s.id"
            " JOIN workflows_cursorcheck k ON k.subscription_id = c.subscription_id"
            ' AND k."partition" = c."partition"'
            " JOIN workflows_head h ON h.channel_id = s.channel_id"
            ' AND h."partition" = c."partition"'
            " WHERE s.flow_id = %s ORDER BY c.position - k.checked",
            (flow_id,),
        )
    ]


def look(cursor: Cursor, budget: int, again: int) -> tuple[Look, list[Lost]]:
    """Look at up to `budget` traces that weren't checked before, and at up to `again` that were.
    What retention has taken is past checking."""
    fresh = max(cursor.checked, cursor.tail)
    end = min(cursor.position, fresh + max(budget, 0))
    low = max(cursor.start, cursor.tail, cursor.again)
    high = min(cursor.checked, low + again)
    spans = _joined([*cursor.gaps, (low, high), (fresh, end)])
    lost: list[Lost] = []
    for since, until in spans:
        since = max(since, cursor.tail)
        if since < until and until - since > _count(cursor, since, until):
            lost += _lost(cursor, since, until)
    checked = max(cursor.checked, end)
    seen = Look(
        cursor.subscription_id,
        cursor.partition,
        cursor.origin,
        cursor.checked,
        checked,
        max(end - fresh, 0),
        high if high < cursor.checked else 0,
        _few([one.span for one in lost]),
        checked >= cursor.position,
    )
    return seen, lost


def _joined(spans: list[Span]) -> list[Span]:
    """The same offsets as spans that don't overlap, in order."""
    out: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if out and low < out[-1][1]:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out


_LIVE = (
    'FROM workflows_trace WHERE subscription_id = %s AND "partition" = %s'
    ' AND "offset" >= %s AND "offset" < %s AND run = 0'
)


def _count(cursor: Cursor, low: int, high: int) -> int:
    params = (cursor.subscription_id, cursor.partition, low, high)
    return int(sql.fetch(f"SELECT COUNT(*) {_LIVE}", params)[0][0])


def _lost(cursor: Cursor, low: int, high: int) -> list[Lost]:
    """Where exactly traces are missing."""
    params = (cursor.subscription_id, cursor.partition, low, high)
    there = sql.fetch(f'SELECT "offset" {_LIVE} ORDER BY "offset"', params)
    out, following = [], low
    for offset in (*(row[0] for row in there), high):
        if offset > following:
            span = (following, offset)
            out.append(Lost(cursor.node, cursor.partition, span, offset - following))
        following = offset + 1
    return out


def _few(gaps: list[Span]) -> list[Span]:
    """At most `_MOST_GAPS` spans that cover the gaps: the widest distances stay between them."""
    if not gaps:
        return []
    far = sorted(range(1, len(gaps)), key=lambda i: gaps[i - 1][1] - gaps[i][0])
    starts = sorted([0, *far[: _MOST_GAPS - 1]])
    ends = [*starts[1:], len(gaps)]
    return [(gaps[start][0], gaps[end - 1][1]) for start, end in zip(starts, ends, strict=True)]


def keep(look: Look) -> None:
    """Note what a look found. A cursor that was set somewhere else meanwhile keeps its own."""
    sql.execute(
        "UPDATE workflows_cursorcheck SET checked = %s, again = %s, missing = %s"
        ' WHERE subscription_id = %s AND "partition" = %s AND origin = %s AND checked = %s',
        (
            look.checked,
            look.again,
            _as_json(look.gaps),
            look.subscription_id,
            look.partition,
            look.origin,
            look.before,
        ),
    )


def _as_json(spans: list[Span]) -> str:
    return orjson.dumps(spans).decode()


def _as_spans(text: str) -> list[Span]:
    return [(low, high) for low, high in orjson.loads(text)]
