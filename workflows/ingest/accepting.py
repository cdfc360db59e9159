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


def answer_of(
    caller: Caller,
    items: Sequence[Incoming | Problem],
    places: Sequence[Position],
    subscription_id: int | None,
    notes: Mapping[int, str],
) -> Response:
    """202, or 207 when some were bad: one entry for each event, in order. An event that several
    flows may read has several traces: its `trace_url` is the event's page, which lists them."""
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


def refusal_of(items: Sequence[Incoming | Problem]) -> Response:
    """Nothing was stored: all were bad, or one was and the request is atomic."""
    problems = [item for item in items if isinstance(item, Problem)]
    if len(items) == 1:
        problem = problems[0]
    else:
        problem = Problem(
            422,
            f"{len(problems)} of {len(items)} events are bad; none was stored.",
            events=[
                {"index": i, **item.as_dict()}
                for i, item in enumerate(items)
                if isinstance(item, Problem)
            ],
        )
    return Response(problem.status, problem.body(), "application/problem+json")
