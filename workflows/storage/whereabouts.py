"""Where is my event? Every place where an event is, or where it ended, in plain words."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from workflows.storage import channels, eventpages, flowrows, log, sql, tracepages, versions
from workflows.storage.eventpages import EventRow
from workflows.storage.fates import Place, of_trace
from workflows.storage.pages import Place as PagePlace
from workflows.storage.parts import TraceRef
from workflows.storage.traces import TraceRow

MOST_EVENTS = 10
_SEARCHED = 200_000  # offsets that a search by key looks through, in all channels together
_SEARCHED_EACH = 20_000  # and in each channel at the most
_AT_ONCE = 100  # channels in one statement
_READERS = 50  # subscriptions of one channel that are told of
_RUNS = 20  # of one event through one subscription
_RECENT = 200  # events whose sources are tried for an id that isn't there (any more)
_WORD = re.compile(r"(id|key|source)=")


class Question(NamedTuple):
    """What is looked for; "" leaves a part open. `any` is an id or a key."""

    any: str = ""
    id: str = ""
    key: str = ""
    source: str = ""


class Found(NamedTuple):
    """One event, and every place it is or went."""

    event_id: str
    type: str
    key: str
    source: str
    channel: str  # slug
    position: str
    accepted_at: float
    places: list[Place]


class Answer(NamedTuple):
    """The newest events that fit. `is_cut`: there are more; `gone`: what was accepted, but isn't
    stored any more; `searched`: offsets of each channel that a key was looked for in."""

    events: list[Found]
    is_cut: bool
    gone: list[Place]
    searched: int


def read_question(text: str) -> Question:
    """`4711` (an id or a key), or parts with names: `id=4711 source=/shop key=customer 7`."""
    pieces = _WORD.split(text.strip())
    named = {name: value.strip() for name, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Question(any=pieces[0].strip(), **named)


def answer(workspace_id: int, question: Question) -> Answer:
    """Look everything up, by the indexes where there are some; the search by key is bounded."""
    slugs = channels.slugs(workspace_id)
    channel_ids = sorted(slugs)
    window = max(1_000, min(_SEARCHED_EACH, _SEARCHED // max(len(slugs), 1)))
    wanted_id = question.id or question.any
    rows: dict[EventRow, None] = {}
    if wanted_id:
        by_id = eventpages.Wanted(id=wanted_id, key=question.key)
        found, _ = eventpages.page(channel_ids, by_id, PagePlace({}), MOST_EVENTS + 1)
        rows.update(dict.fromkeys(found))
    wanted_key = question.key or question.any
    if wanted_key and not question.id:
        rows.update(dict.fromkeys(_by_key(channel_ids, wanted_key, window)))
    bodies = {
        row: orjson.loads(body)
        for row, body in eventpages.bodies(list(rows)).items()
        if not question.source or orjson.loads(body).get("source") == question.source
    }
    newest = sorted(bodies, key=lambda row: row.accepted_at, reverse=True)
    shown = newest[:MOST_EVENTS]
    gone = [] if bodies or not wanted_id else _gone(slugs, wanted_id, question.source)
    told = [
        Found(
            row.event_id,
            row.type,
            row.key,
            str(bodies[row].get("source", "")),
            slugs[row.channel_id],
            _position(row),
            row.accepted_at,
            _places(workspace_id, row, slugs[row.channel_id]),
        )
        for row in shown
    ]
    return Answer(told, len(newest) > len(shown), gone, window)


def _position(row: EventRow) -> str:
    return f"{row.channel_id}-{row.partition}-{row.offset}"


def _by_key(channel_ids: Sequence[int], key: str, window: int) -> list[EventRow]:
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
            params += [*place, window, *place, key, MOST_EVENTS + 1]
        if pieces:
            out += [EventRow(*row) for row in sql.fetch(" UNION ALL ".join(pieces), params)]
    return out


def _gone(slugs: Mapping[int, str], event_id: str, source: str) -> list[Place]:
    """Where the event lay whose payload retention has taken: repeats of it are still recognised.

    The table knows it by (source, id) only. Without a source, those of recent events are tried.
    """
    sources = {source} if source else _recent_sources(list(slugs))
    digests = [log.digest_of(one, event_id) for one in sorted(sources)]
    if not digests or not slugs:
        return []
    some, marks = sorted(slugs), ", ".join(["%s"] * len(digests))
    among = ", ".join(["%s"] * len(some))
    return [
        Place(
            "gone",
            "filtered",
            f"Accepted earlier into channel {slugs[channel_id]} (partition {partition}, offset"
            f" {offset}). Retention has deleted its payload and its traces.",
            until=expires_at,
        )
        for channel_id, partition, offset, expires_at in sql.fetch(
            'SELECT channel_id, "partition", "offset", expires_at FROM workflows_seen'
            f" WHERE channel_id IN ({among}) AND digest IN ({marks})",
            (*some, *digests),
        )
    ]


def _recent_sources(channel_ids: Sequence[int]) -> set[str]:
    rows, _ = eventpages.page(channel_ids, eventpages.EVERYTHING, PagePlace({}), _RECENT)
    return {str(orjson.loads(body).get("source", "")) for body in eventpages.bodies(rows).values()}


class _Reading(NamedTuple):
    """A subscription of the event's channel, and where it stands in its partition."""

    subscription_id: int
    flow_id: int
    flow: str
    name: str
    paused: bool
    state: str
    position: int
    stop: int | None


def _places(workspace_id: int, row: EventRow, channel: str) -> list[Place]:
    """The log, then each subscription's runs with what became of them."""
    says = f"Accepted into channel {channel}, partition {row.partition}, offset {row.offset:,}."
    places = [Place("accepted", "ok", says, "event", _position(row), row.accepted_at)]
    runs: dict[int, list[TraceRow]] = {}
    for trace in tracepages.of_place(row.channel_id, row.partition, row.offset):
        runs.setdefault(trace.ref.subscription_id, []).append(trace)
    mine = flowrows.slugs(workspace_id)
    readings = [one for one in _readings(row) if one.flow_id in mine]
    taken = [run for some in runs.values() for run in some if run.version]
    names = versions.node_names({(run.flow_id, run.version) for run in taken})
    for one in readings[:_READERS]:
        if one.subscription_id not in runs:
            places.append(_passed_by(one, row.offset))
        for run in runs.get(one.subscription_id, [])[:_RUNS]:
            if run.state == "queued":
                places.append(_queued(one, run.ref, row))
            else:
                places.append(_taken(one, run))
                places += of_trace(run, one.flow, names.get((run.flow_id, run.version), {}))
    if len(readings) > _READERS:
        says = f"{len(readings) - _READERS:,} more flows read this channel: see the event."
        places.append(Place("more", "queued", says, "event", _position(row)))
    if not readings:
        places.append(Place("unread", "queued", "No flow reads this channel."))
    return places


def _readings(row: EventRow) -> list[_Reading]:
    return [
        _Reading(*found)
        for found in sql.fetch(
            "SELECT s.id, s.flow_id, f.slug, f.name, f.paused, s.state, c.position, c.stop"
            " FROM workflows_subscription s JOIN workflows_flow f ON f.id = s.flow_id"
            " JOIN workflows_cursor c ON c.subscription_id = s.id"
            ' WHERE s.channel_id = %s AND c."partition" = %s ORDER BY s.id',
            (row.channel_id, row.partition),
        )
    ]


def _queued(one: _Reading, ref: TraceRef, row: EventRow) -> Place:
    before = row.offset - one.position
    ahead = "next in" if before == 0 else f"behind {before:,} other{'s' if before > 1 else ''} in"
    says = f"Waits for flow {one.name} to take it: {ahead} its partition."
    if one.paused:
        says += " The flow is paused."
    return Place("queued", "queued", says, "trace", str(ref), row.accepted_at, flow=one.flow)


def _passed_by(one: _Reading, offset: int) -> Place:
    if one.position > offset:
        says = f"Flow {one.name} began to read this channel after it."
    else:
        says = f"Flow {one.name} stopped reading this channel before it."
    return Place("passed_by", "queued", says, flow=one.flow)


_WORDS = {"running": "still running", "ok": "done"}  # the others are words already


def _taken(one: _Reading, run: TraceRow) -> Place:
    again = f" again, as run {run.ref.run}," if run.ref.run else ""
    verb = "Run" if run.ref.run else "Taken"
    state = _WORDS.get(run.state, run.state)
    says = f"{verb}{again} by flow {one.name}, version {run.version}: {state}."
    return Place("taken", run.state, says, "trace", str(run.ref), run.taken_at, flow=one.flow)
