"""What does a shadow run know and leave behind? Its own memory, its holds, and the differences.

It reads what the live runs of the same events left, and writes nothing that live runs read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from workflows.engine.event import JSON
from workflows.storage import recorded, sql
from workflows.storage.parts import TraceRef
from workflows.storage.recorded import Recorded

_CHUNK = 400
MOST_DIFFERENCES = 10_000  # that a replay keeps; it goes on counting

Steps = list[dict[str, Any]]


class Live(NamedTuple):
    """What happened to an event when it ran live."""

    ref: TraceRef
    ended: bool
    steps: Steps
    replies: list[Recorded]


class Hold(NamedTuple):
    """An arrival that waits for a simulated moment. `id` 0: it isn't stored yet."""

    due_at: float
    id: int
    node: str
    partition: int
    offset: int
    path: int
    event: bytes
    accepted_at: float


class NewDifference(NamedTuple):
    kind: str
    node: str
    live: str
    shadow: str
    detail: str
    trace: str
    live_trace: str
    event_id: str
    type: str
    key: str
    assumed: bool


class Kept(NamedTuple):
    """What a commit of a shadow run writes next to its traces."""

    state: Mapping[tuple[str, str], tuple[JSON, float | None]]
    released: Sequence[int]
    held: Sequence[Hold]
    differences: Sequence[NewDifference]


def live_of(
    flow_id: int, channel_id: int, node: str, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Live]:
    """(partition, offset) -> the live run of that event in this flow, if it had one."""
    reading = sql.fetch(
        "SELECT id FROM workflows_subscription WHERE flow_id = %s AND channel_id = %s"
        " ORDER BY CASE WHEN node = %s THEN 1 ELSE 0 END, id",
        (flow_id, channel_id, node),
    )
    rows = sql.find_many(
        'SELECT t.subscription_id, t."partition", t."offset", t.open, t.steps FROM v'
        " JOIN workflows_trace t ON t.subscription_id = v.s"
        ' AND t."partition" = v.p AND t."offset" = v.o AND t.run = 0',
        "s, p, o",
        [(one, *place) for (one,) in reading for place in places],
    )
    rank = {one: index for index, (one,) in enumerate(reading)}
    found: dict[tuple[int, int], Live] = {}
    for subscription_id, partition, offset, opened, steps in sorted(rows, key=lambda r: rank[r[0]]):
        ref = TraceRef(subscription_id, partition, offset)
        first = orjson.loads(bytes(steps))
        found[partition, offset] = Live(ref, not opened, first["steps"], recorded.read(first))
    by_ref = {live.ref: live for live in found.values()}
    for ref, segment in recorded.segments(by_ref):
        by_ref[ref].steps.extend(segment["steps"])
        by_ref[ref].replies.extend(recorded.read(segment))
    return found


def so_far(refs: Sequence[TraceRef]) -> dict[TraceRef, tuple[int, Steps]]:
    """How many arrivals of these traces of a shadow run wait, and what their steps were."""
    rows = sql.find_many(
        'SELECT t.subscription_id, t."partition", t."offset", t.run, t.open, t.steps FROM v'
        ' JOIN workflows_trace t ON t.subscription_id = v.s AND t."partition" = v.p'
        ' AND t."offset" = v.o AND t.run = v.r',
        "s, p, o, r",
        refs,
    )
    out = {
        TraceRef(*row[:4]): (int(row[4]), list(orjson.loads(bytes(row[5]))["steps"]))
        for row in rows
    }
    for ref, segment in recorded.segments(out):
        out[ref][1].extend(segment["steps"])
    return out


def state(replay_id: int, node: str, keys: Sequence[str], now: float) -> dict[str, JSON]:
    """What a node remembers in this shadow run at the simulated moment."""
    out: dict[str, JSON] = {}
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        marks = ", ".join(["%s"] * len(some))
        for key, value in sql.fetch(
            "SELECT key, value FROM workflows_shadowstate WHERE replay_id = %s AND node = %s"
            f" AND key IN ({marks}) AND (expires_at IS NULL OR expires_at > %s)",
            (replay_id, node, *some, now),
        ):
            out[key] = orjson.loads(bytes(value))
    return out


def held(replay_id: int, until: float | None, limit: int) -> list[Hold]:
    """The first to go on, of those that are due until that moment (None: at any)."""
    where, params = ("", []) if until is None else (" AND due_at <= %s", [until])
    return [
        Hold._make((*row[:6], bytes(row[6]), row[7]))
        for row in sql.fetch(
            'SELECT due_at, id, node, "partition", "offset", path, event, accepted_at'
            f" FROM workflows_shadowheld WHERE replay_id = %s{where} ORDER BY due_at, id LIMIT %s",
            (replay_id, *params, limit),
        )
    ]


def keep(replay_id: int, kept: Kept) -> None:
    """Write what a commit of a shadow run changed. Part of its transaction."""
    _keep_state(replay_id, kept.state)
    for start in range(0, len(kept.released), _CHUNK):
        some = kept.released[start : start + _CHUNK]
        marks = ", ".join(["%s"] * len(some))
        sql.execute(f"DELETE FROM workflows_shadowheld WHERE id IN ({marks})", some)
    sql.insert_many(
        "workflows_shadowheld",
        'replay_id, due_at, node, "partition", "offset", path, event, accepted_at',
        [(replay_id, one.due_at, *one[2:]) for one in kept.held],
    )
    sql.insert_many(
        "workflows_difference",
        "replay_id, kind, node, live, shadow, detail, trace, live_trace, event_id, type, key,"
        " assumed",
        [(replay_id, *one) for one in kept.differences],
    )


def _keep_state(replay_id: int, state: Mapping[tuple[str, str], tuple[JSON, float | None]]) -> None:
    sql.insert_many(
        "workflows_shadowstate",
        "replay_id, node, key, value, expires_at",
        [
            (replay_id, node, key, orjson.dumps(value), expires_at)
            for (node, key), (value, expires_at) in sorted(state.items())
            if value is not None
        ],
        "ON CONFLICT (replay_id, node, key)"
        " DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
    )
    for (node, key), (value, _) in sorted(state.items()):
        if value is None:
            sql.execute(
                "DELETE FROM workflows_shadowstate WHERE replay_id = %s AND node = %s AND key = %s",
                (replay_id, node, key),
            )
