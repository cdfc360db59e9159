"""Which events are meant? Those of an id, or the newest of a key or of an indexed field's value."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.engine.indexing import KEY, form_at, meanings
from workflows.storage import eventpages, indexed, log, sql
from workflows.storage.eventpages import EventRow
from workflows.storage.indexed import Field
from workflows.storage.pages import Place
from workflows.storage.stored import Stored, read_one

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
    field: str = ""  # a path that some channel indexes
    value: str = ""  # and what is there


def read_question(text: str) -> Question:
    """`4711` (an id or a key), or parts with names: `id=4711 source=/shop key=customer 7`."""
    pieces = _WORD.split(text.strip())
    named = {name: value.strip() for name, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Question(any=pieces[0].strip(), **named)


def named_field(question: Question, paths: Iterable[str]) -> Question:
    """The question, with `data.order_id=4711` read as a field and its value, as with any other of
    the `paths` before the sign."""
    path, _, value = question.any.partition("=")
    if not value or not (path.startswith("data.") or path in paths):
        return question
    return question._replace(any="", field=path, value=value)


def find(
    channel_ids: Sequence[int], question: Question, fields: Sequence[Field], most: int
) -> list[tuple[EventRow, str]]:
    """The newest events of these channels that fit, at most `most`; each with its source.

    An id has an index, and a field must have one. So may a key; where it has none, it is looked
    for among the newest `searched()` offsets. `fields` are all that the channels index.
    """
    limit = _READ if question.source or question.field else most
    rows: dict[EventRow, None] = {}
    if question.field:
        among = [field for field in fields if field.path == question.field]
        rows.update(dict.fromkeys(indexed.find(among, question.value, limit)))
        return _newest(rows, question, most)
    wanted_id = question.id or question.any
    if wanted_id:
        by_id = eventpages.Wanted(id=wanted_id, key=question.key)
        rows.update(dict.fromkeys(eventpages.page(channel_ids, by_id, Place({}), limit)[0]))
    wanted_key = question.key or question.any
    if wanted_key and not question.id:
        keys = [field for field in fields if field.path == KEY]
        rows.update(dict.fromkeys(indexed.find(keys, wanted_key, limit)))
        others = _without_keys(channel_ids, fields)
        window = searched(channel_ids, fields)
        rows.update(dict.fromkeys(_by_key(others, wanted_key, window, limit)))
    return _newest(rows, question, most)


def searched(channel_ids: Sequence[int], fields: Sequence[Field]) -> int:
    """How many offsets a search by key looks through in each channel that doesn't index it."""
    among = len(_without_keys(channel_ids, fields))
    return among and max(1_000, min(_SEARCHED_EACH, _SEARCHED // among))


def _without_keys(channel_ids: Sequence[int], fields: Sequence[Field]) -> list[int]:
    """The channels that can't say by an index which events have a key."""
    whole = {field.channel_id for field in fields if field.path == KEY and field.is_whole}
    return [channel_id for channel_id in channel_ids if channel_id not in whole]


def _by_key(channel_ids: Sequence[int], key: str, window: int, limit: int) -> list[EventRow]:
    """The newest events of a key: in each channel they lie in one partition, whose newest
    `window` offsets are looked through. A channel may index its key, at a price for each append."""
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


def _newest(rows: Iterable[EventRow], question: Question, most: int) -> list[tuple[EventRow, str]]:
    """The newest of these that are still there and fit, each with its source. At most `most`."""
    out: list[tuple[EventRow, str]] = []
    for row in sorted(rows, key=lambda row: row.accepted_at, reverse=True)[:_READ]:
        stored = read_one(row.channel_id, row.partition, row.offset)
        if stored is not None and _fits(stored, body := orjson.loads(stored.body), question):
            out.append((row, str(body.get("source", ""))))
        if len(out) == most:
            break
    return out


def _fits(stored: Stored, body: dict[str, Any], question: Question) -> bool:
    if question.source not in ("", str(body.get("source", ""))):
        return False
    if not question.field:
        return True
    named = question.id in ("", stored.event_id) and question.key in ("", stored.key)
    parts = tuple(question.field.split("."))
    return named and form_at(parts, body, stored.key) in meanings(question.value)


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
