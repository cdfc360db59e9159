"""Where is my event? Every place where an event is, or where it ended, in plain words."""

from typing import NamedTuple

from workflows.engine.indexing import KEY, LONGEST_VALUE
from workflows.storage import (
    backpressure,
    channels,
    eventpages,
    flowrows,
    indexed,
    sought,
    sql,
    tracepages,
    versions,
)
from workflows.storage.eventpages import EventRow
from workflows.storage.fates import Place, of_trace
from workflows.storage.indexed import Field
from workflows.storage.pages import Bounds
from workflows.storage.parts import TraceRef
from workflows.storage.runs import FIRST_SHADOW
from workflows.storage.sought import Gone, Question
from workflows.storage.traces import TraceRow

MOST_EVENTS = 10
_READERS = 50  # subscriptions of one channel that are told of
_TOLD = 20  # indexed fields that are named where one was asked for that isn't
_RUNS = 20  # of one event through one subscription


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


class Unanswerable(Exception):
    """Nothing was looked for; the text says why, and what to do."""


class Answer(NamedTuple):
    """The newest events that fit. `is_cut`: there are more; `gone`: what was accepted, but isn't
    stored any more; `indexes`: the indexed fields that were asked; `beyond`: where to go on looking
    for a key that no index knows, None when there is no more to look through; `since`: everything
    that was accepted after this moment (Unix seconds) was looked through."""

    events: list[Found]
    is_cut: bool
    gone: list[Place]
    indexes: list[Field]
    beyond: Bounds | None
    since: float | None
    field: str  # that was asked for; "" for an id or a key


def answer(workspace_id: int, question: Question, before: Bounds | None = None) -> Answer:
    """Look everything up, by the indexes where there are some; the search by key is bounded, and
    goes on at `before`, the `beyond` of another answer. Raises `Unanswerable` for a field that no
    channel indexes."""
    slugs = channels.slugs(workspace_id)
    fields = indexed.of_workspace(workspace_id)
    question = sought.named_field(question, {field.path for field in fields})
    _check_field(question, fields)
    found, beyond = sought.find(sorted(slugs), question, fields, MOST_EVENTS + 1, before)
    if len(found) > MOST_EVENTS:
        beyond = None  # it would leave out the one that isn't shown
    told = [
        Found(
            row.event_id,
            row.type,
            row.key,
            source,
            slugs[row.channel_id],
            _position(row),
            row.accepted_at,
            _places(workspace_id, row, slugs[row.channel_id]),
        )
        for row, source in found[:MOST_EVENTS]
    ]
    wanted_id = "" if question.field else question.id or question.any
    gone = (
        []
        if found or not wanted_id or before
        else sought.find_gone(sorted(slugs), wanted_id, question.source)
    )
    return Answer(
        told,
        len(found) > MOST_EVENTS,
        [_gone(place, slugs[place.channel_id]) for place in gone],
        [field for field in fields if field.path == (question.field or KEY)],
        beyond,
        eventpages.looked_back_to(beyond) if beyond else None,
        question.field,
    )


def _check_field(question: Question, fields: list[Field]) -> None:
    if not question.field:
        return
    if not question.value:
        raise Unanswerable(f"Say which value {question.field} has: {question.field}=4711, say.")
    if len(question.value) > LONGEST_VALUE:
        raise Unanswerable(f"Values of more than {LONGEST_VALUE:,} characters aren't indexed.")
    if not any(field.path == question.field for field in fields):
        known = ", ".join(f"{field.path} (in {field.channel})" for field in fields[:_TOLD])
        raise Unanswerable(
            f"No channel indexes {question.field[:120]}. "
            + (f"Indexed are {known}. " if known else "Nothing is indexed yet. ")
            + "Add a field in the settings of its channel; events that are there already follow."
        )


def _gone(place: Gone, channel: str) -> Place:
    says = (
        f"Accepted earlier into channel {channel} (partition {place.partition}, offset"
        f" {place.offset:,}). Retention has deleted its payload and its traces."
    )
    return Place("gone", "filtered", says, until=place.expires_at)


def _position(row: EventRow) -> str:
    return f"{row.channel_id}-{row.partition}-{row.offset}"


class _Reading(NamedTuple):
    """A subscription of the event's channel, and where it stands in its partition."""

    subscription_id: int
    flow_id: int
    flow: str
    name: str
    paused: bool
    state: str
    position: int  # -1 when only replays ever read by it
    stop: int | None
    expired: int


def _places(workspace_id: int, row: EventRow, channel: str) -> list[Place]:
    """The log, then each subscription's runs with what became of them."""
    says = f"Accepted into channel {channel}, partition {row.partition}, offset {row.offset:,}."
    places = [Place("accepted", "ok", says, "event", _position(row), row.accepted_at)]
    runs: dict[int, list[TraceRow]] = {}
    for trace in tracepages.of_place(row.channel_id, row.partition, row.offset):
        if trace.ref.run >= FIRST_SHADOW:
            continue  # what might have happened isn't where the event is
        runs.setdefault(trace.ref.subscription_id, []).append(trace)
    mine = flowrows.slugs(workspace_id)
    readings = [
        one
        for one in _readings(row)
        if one.flow_id in mine and (one.position >= 0 or one.subscription_id in runs)
    ]
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
            "SELECT s.id, s.flow_id, f.slug, f.name, f.paused, s.state,"
            " COALESCE(c.position, -1), c.stop, s.expired"
            " FROM workflows_subscription s JOIN workflows_flow f ON f.id = s.flow_id"
            " LEFT JOIN workflows_cursor c ON c.subscription_id = s.id"
            ' AND c."partition" = %s WHERE s.channel_id = %s ORDER BY s.id',
            (row.partition, row.channel_id),
        )
    ]


def _queued(one: _Reading, ref: TraceRef, row: EventRow) -> Place:
    before = row.offset - one.position
    ahead = "next in" if before == 0 else f"behind {before:,} other{'s' if before > 1 else ''} in"
    says = f"Waits for flow {one.name} to take it: {ahead} its partition."
    if one.paused:
        says += " The flow is paused."
    elif full := backpressure.waits_for(one.subscription_id):
        says += f" The flow waits until channel {full} has room."
    return Place("queued", "queued", says, "trace", str(ref), row.accepted_at, flow=one.flow)


def _passed_by(one: _Reading, offset: int) -> Place:
    if one.position > offset:
        says = f"Flow {one.name} began to read this channel after it."
        if one.expired:
            says = f"{says[:-1]}, or was too far behind and moved past it."
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
