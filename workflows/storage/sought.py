"""Which events are meant? Those of an id, or the newest of a key, in some channels."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from workflows.storage import eventpages, log, sql
from workflows.storage.eventpages import EventRow
from workflows.storage.pages import Place

_SEARCHED = 200_000  # offsets that a search by key looks through, in all channels together
_SEARCHED_EACH = 20_000  # and in each channel at the most
_AT_ONCE = 100  # channels in one statement
_RECENT = 500  # events whose sources are tried for an id that isn't there (any more)
_READ = 200  # events that are read to find those of a source
_WORD = re.compile(r"(?:^|\s)(id|key|source)=")


class Question(NamedTuple):
    """What is looked for; "" leaves a part open. `any` is an id or a key."""

    any: str = ""
    id: str = ""
    key: str = ""
    source: str = ""


def read_question(text: str) -> Question:
    """`4711` (an id or a key), or parts with names: `id=4711 source=/shop key=customer 7`."""
    pieces = _WORD.split(text.strip())
    named = {name: value.strip() for name, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Question(any=pieces[0].strip(), **named)


def find(channel_ids: Sequence[int], question: Question, most: int) -> list[tuple[EventRow, str]]:
    """The newest events of these channels that fit, at most `most`; each with its source.

    An id has an index; a key is looked for among the newest `searched()` offsets.
    """
    limit = _READ if question.source else most
    rows: dict[EventRow, None] = {}
    wanted_id = question.id or question.any
    if wanted_id:
        by_id = eventpages.Wanted(id=wanted_id, key=question.key)
        rows.update(dict.fromkeys(eventpages.page(channel_ids, by_id, Place({}), limit)[0]))
    wanted_key = question.key or question.any
    if wanted_key and not question.id:
        window = searched(len(channel_ids))
        rows.update(dict.fromkeys(_by_key(channel_ids, wanted_key, window, limit)))
    return _newest(rows, question.source, most)


def searched(channels: int) -> int:
    """How many offsets of each of so many channels a search by key looks through."""
    return max(1_000, min(_SEARCHED_EACH, _SEARCHED // max(channels, 1)))


def _by_key(channel_ids: Sequence[int], key: str, window: int, limit: int) -> list[EventRow]:
    """The newest events of a key: in each channel they lie in one partition, whose newest
    `window` offsets are looked through. An index would slow every append down for this."""
    out: list[EventRow] = []
    for start in range(0, len(channel_ids), _AT_ONCE):
        some = channel_ids[start : start + _AT_ONCE]
        marks = ", ".join(["%s"] * len(some))
        pieces, params = [], []
        for channel_id, partitions in sql.fetch(
            f"SELECT id, partitions FROM workflows_channel WHERE id IN ({marks})", some
        ):
            place = (channel_id, log.partition_of(key, partitions))
            pieces.append(
                'SELECT * FROM (SELECT channel_id, "partition", "offset", event_id, type, key,'
                ' accepted_at FROM workflows_event WHERE channel_id = %s AND "partition" = %s'
                ' AND "offset" >= (SELECT head - %s FROM workflows_head WHERE channel_id = %s'
                ' AND "partition" = %s) AND key = %s ORDER BY "offset" DESC LIMIT %s) AS newest'
            )
            params += [*place, window, *place, key, limit]
        if pieces:
            out += [EventRow(*row) for row in sql.fetch(" UNION ALL ".join(pieces), params)]
    return out


def _newest(rows: Iterable[EventRow], source: str, most: int) -> list[tuple[EventRow, str]]:
    """The newest of these that are still there and of that source, if one is given; each with its
    source. At most `most`."""
    out: list[tuple[EventRow, str]] = []
    for row in sorted(rows, key=lambda row: row.accepted_at, reverse=True)[:_READ]:
        stored = log.read_one(row.channel_id, row.partition, row.offset)
        its = "" if stored is None else _source(stored.body)
        if stored is not None and source in ("", its):
            out.append((row, its))
        if len(out) == most:
            break
    return out


def _source(body: bytes) -> str:
    return str(orjson.loads(body).get("source", ""))


class Gone(NamedTuple):
    """Where an event lay that isn't stored any more, and until when repeats are recognised."""

    channel_id: int
    partition: int
    offset: int
    expires_at: float


def find_gone(channel_ids: Sequence[int], event_id: str, source: str) -> list[Gone]:
    """Where the event lay whose payload retention has taken.

    It is known by (source, id) only. Without a source, those of recent events are tried.
    """
    if not channel_ids:
        return []
    sources = {source} if source else _recent_sources(channel_ids)
    digests = [log.digest_of(one, event_id) for one in sorted(sources)]
    if not digests:
        return []
    marks = ", ".join(["%s"] * len(digests))
    among = ", ".join(["%s"] * len(channel_ids))
    return [
        Gone(*row)
        for row in sql.fetch(
            'SELECT channel_id, "partition", "offset", expires_at FROM workflows_seen'
            f" WHERE channel_id IN ({among}) AND digest IN ({marks})",
            (*channel_ids, *digests),
        )
    ]


def _recent_sources(channel_ids: Sequence[int]) -> set[str]:
    """Where the newest event of each partition came from."""
    marks = ", ".join(["%s"] * len(channel_ids))
    newest = sql.fetch(
        "SELECT e.body FROM workflows_head h JOIN workflows_event e ON e.channel_id = h.channel_id"
        ' AND e."partition" = h."partition" AND e."offset" = h.head - 1'
        f" WHERE h.channel_id IN ({marks}) LIMIT {_RECENT}",
        channel_ids,
    )
    return {_source(bytes(body)) for (body,) in newest}
