"""What becomes of the events of one request? Rows for the log, and an entry each in the answer."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.engine.eventkey import event_key
from workflows.engine.indexing import marks_of
from workflows.ingest import reading
from workflows.ingest.problems import Problem
from workflows.ingest.reading import Read
from workflows.storage.channels import ChannelRow
from workflows.storage.doors import Inbox
from workflows.storage.log import Incoming, Position, digest_of, partition_of


class Response(NamedTuple):
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Caller(NamedTuple):
    """Who is at the door: a workspace, already authorised to write events."""

    workspace_id: int
    workspace: str


class Admitted(NamedTuple):
    """The events of one request, checked. Those that are good are to be stored."""

    caller: Caller
    items: Sequence[Incoming | Problem]
    good: Sequence[Incoming]
    notes: Mapping[int, str]  # by the event's place in the request
    subscription_id: int | None  # the only reader, where that is known
    wait: tuple[Inbox, float] | None = None  # for whose reply, and how many seconds


def admit(
    caller: Caller,
    channel: ChannelRow,
    read: Sequence[Read],
    atomic: bool,
    subscription_id: int | None,
) -> Admitted:
    """Raises Problem when nothing is to be stored: all are bad, or one is and the request is
    atomic."""
    notes: dict[int, str] = {}
    items = [incoming_of(channel, one, i, notes) for i, one in enumerate(read)]
    good = [item for item in items if isinstance(item, Incoming)]
    if not good or (atomic and len(good) < len(items)):
        raise _refusal(items)
    return Admitted(caller, items, good, notes, subscription_id)


def incoming_of(
    channel: ChannelRow, event: Read, index: int, notes: dict[int, str]
) -> Incoming | Problem:
    """The event on its way into the log. Without the key that it should have, it goes by its id,
    and `notes` tells the sender so."""
    if isinstance(event, Problem):
        return event
    try:
        body = reading.encode(event)
    except Problem as problem:
        return problem
    except (TypeError, ValueError) as problem:  # a number out of range, say
        return Problem(422, f"The event can't be stored: {problem}")
    key, lacks = event_key(event, channel.key_expression)
    if lacks:
        notes[index] = f"Its id is its key, for lack of the channel's: {lacks}"
    return Incoming(
        channel_id=channel.id,
        partition=partition_of(key, channel.partitions),
        event_id=event["id"],
        type=event["type"],
        key=key,
        digest=digest_of(event["source"], event["id"]),
        body=body,
        keep_seconds=channel.keep_seconds,
        marks=marks_of(channel.indexed, event, key) if channel.indexed else (),
    )


def answer_of(admitted: Admitted, places: Sequence[Position]) -> Response:
    """202, or 207 when some were bad: one entry for each event, in order. An event that several
    flows may read has several traces: its `trace_url` is the event's page, which lists them."""
    caller, items, _, notes, subscription_id, _ = admitted
    entries: list[dict[str, Any]] = []
    following = iter(places)
    duplicates = bad = 0
    for index, item in enumerate(items):
        if isinstance(item, Problem):
            bad += 1
            entries.append({"problem": item.as_dict()})
            continue
        place = next(following)
        duplicates += place.duplicate
        where = f"{place.partition}-{place.offset}"
        if subscription_id is None:
            page = f"events/{place.channel_id}-{where}"
        else:
            page = f"traces/{subscription_id}-{where}"
        entries.append(
            {
                "id": item.event_id,
                "duplicate": place.duplicate,
                "trace_url": f"/w/{caller.workspace}/{page}",
                **({"note": notes[index]} if index in notes else {}),
            }
        )
    body = {
        "accepted": len(places) - duplicates,
        "duplicates": duplicates,
        "events": entries,
    }
    return Response(207 if bad else 202, orjson.dumps(body))


def _refusal(items: Sequence[Incoming | Problem]) -> Problem:
    problems = [(i, item) for i, item in enumerate(items) if isinstance(item, Problem)]
    if len(items) == 1:
        return problems[0][1]
    return Problem(
        422,
        f"{len(problems)} of {len(items)} events are bad; none was stored.",
        events=[{"index": i, **problem.as_dict()} for i, problem in problems],
    )
