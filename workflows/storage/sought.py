"""Which events are meant? Those of an id, or the newest of a key or of an indexed field's value."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.engine.indexing import KEY, form_at, meanings
from workflows.storage import eventpages, indexed, log, sql
from workflows.storage.eventpages import EventRow
from workflows.storage.indexed import Field
from workflows.storage.pages import Bounds, Place
from workflows.storage.stored import Stored, read_one

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


class Sought(NamedTuple):
    """The newest events that fit, each with its source; and below which offsets a key is still to
    be looked for (None: nowhere)."""

    events: list[tuple[EventRow, str]]
    beyond: Bounds | None


def find(
    channel_ids: Sequence[int],
    question: Question,
    fields: Sequence[Field],
    most: int,
    before: Bounds | None = None,
) -> Sought:
    """The newest events of these channels that fit, at most `most`.

    An id has an index, and a field must have one. So may a key; where it has none, it is looked
    for from the newest event on, for a moment only. With `before`, what an earlier answer had as
    `beyond`, it goes on from there. `fields` are all that the channels index.
    """
    limit = _READ if question.source or question.field else most
    rows: dict[EventRow, None] = {}
    if question.field:
        among = [field for field in fields if field.path == question.field]
        rows.update(dict.fromkeys(indexed.find(among, question.value, limit)))
        return Sought(_newest(rows, question, most), None)
    if before is None:
        rows.update(dict.fromkeys(_by_index(channel_ids, question, fields, limit)))
    key, beyond = question.key or question.any, None
    if key and not question.id:
        others = _without_keys(channel_ids, fields)
        wanted = eventpages.Wanted(key=key)
        found, around = eventpages.page(others, wanted, Place(before or {}), limit)
        rows.update(dict.fromkeys(found))
        beyond = around.last
    return Sought(_newest(rows, question, most), beyond)


def _by_index(
    channel_ids: Sequence[int], question: Question, fields: Sequence[Field], limit: int
) -> list[EventRow]:
    """The newest events of an id or key that an index knows of."""
    rows: list[EventRow] = []
    if wanted_id := question.id or question.any:
        by_id = eventpages.Wanted(id=wanted_id, key=question.key)
        rows += eventpages.page(channel_ids, by_id, Place({}), limit)[0]
    key = question.key or question.any
    if key and not question.id:
        rows += indexed.find([field for field in fields if field.path == KEY], key, limit)
    return rows


def _without_keys(channel_ids: Sequence[int], fields: Sequence[Field]) -> list[int]:
    """The channels that can't say by an index which events have a key. One may index its key, at a
    price for each append."""
    whole = {field.channel_id for field in fields if field.path == KEY and field.is_whole}
    return [channel_id for channel_id in channel_ids if channel_id not in whole]


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
