"""What does one commit of a running flow write? Everything, or nothing.

A drain's slice, a batch of settled effects and a batch of released arrivals all end here, as one
`FlowCommit` for each flow they touch, in one transaction. It is conditional: a cursor whose epoch
has moved on, or an effect that another process has taken over, makes the whole of it fail with
`Fenced`; a memory that has changed since it was read, with `Stale`. Then nothing is changed.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import cursors, deadgroups, gates, log, parked, sql, tracerows
from workflows.storage.parked import EFFECTS, HELD
from workflows.storage.parts import Fenced, FlowCommit, Stale


class Committed(NamedTuple):
    """Where one flow's part landed: its newest change number, its effects' first number, and how
    many parked rows have come to the head of their lanes."""

    change: int
    first_effect: int
    freed: int


def commit(
    parts: Sequence[FlowCommit], owner: str, now: float, *, ordered: bool = False
) -> dict[int, Committed]:
    """Write all parts in one transaction; by flow, where they landed. Raises `Fenced`, `Stale`.

    `ordered`: somebody ordered it, and is told that it is done.
    """
    out: dict[int, Committed] = {}
    with sql.write() if ordered or any(map(_is_told, parts)) else sql.write_soon():
        for part in sorted(parts, key=lambda part: part.flow_id):
            out[part.flow_id] = _commit_flow(part, owner)
        published = [item for part in parts for item in part.published]
        if published:  # last: heads are locked from here to the commit
            log.append_within(published, now)
    return out


def _is_told(part: FlowCommit) -> bool:
    """Whether the world outside hears of it, so that it mustn't be undone by a power cut. All else
    would come about once more, out of the same events."""
    return part.acted or bool(
        part.effects or part.settled or part.retries or part.redriven or part.answers
    )


def _commit_flow(part: FlowCommit, owner: str) -> Committed:
    cursors.move(part.subscription_id, part.cursors)
    settled = parked.end(EFFECTS, part.flow_id, owner, part.settled, part.retries)
    gates.leave(part.flow_id, part.slots)
    released = parked.end(HELD, part.flow_id, owner, part.released)
    closed = _close_redriven(part)
    wanted = len(part.traces) + len(part.changes) + len(part.effects) + len(part.held)
    first = _advance_clock(part.flow_id, wanted) + 1
    # From here to the commit no other one of this flow writes: lanes keep still.
    freed = parked.advance(EFFECTS, part.flow_id, settled)
    freed += parked.advance(HELD, part.flow_id, released)
    number = first
    tracerows.insert(part, number)
    number += len(part.traces)
    tracerows.change(part, number)
    number += len(part.changes)
    first_effect = number
    parked.insert_effects(part.flow_id, number, part.effects)
    number += len(part.effects)
    parked.insert_held(part.flow_id, number, part.held)
    _insert_dead(part)
    if part.dead or closed:
        workspace_id = cursors.workspace_of(part.flow_id)
        deadgroups.tally(workspace_id, part.flow_id, part.dead, Counter(closed))
    _write_tallies(part)
    _write_state(part)
    _write_answers(part)
    return Committed(first + wanted - 1, first_effect, freed)


def _advance_clock(flow_id: int, wanted: int) -> int:
    """Reserve change numbers; the last one given before."""
    rows = sql.fetch(
        "UPDATE workflows_flowclock SET change = change + %s WHERE flow_id = %s RETURNING change",
        (wanted, flow_id),
    )
    if not rows:
        raise Fenced("the flow was deleted")
    return int(rows[0][0]) - wanted


def _insert_dead(part: FlowCommit) -> None:
    sql.insert_many(
        "workflows_deadletter",
        'flow_id, version_id, node, subscription_id, "partition", "offset", run, path, event,'
        " event_id, failure, fingerprint, attempts, dead_at, state",
        [
            (
                part.flow_id,
                dead.version_id,
                dead.node,
                *dead.ref,
                dead.path,
                dead.event,
                dead.event_id,
                dead.failure,
                dead.fingerprint,
                dead.attempts,
                dead.dead_at,
                "open",
            )
            for dead in part.dead
        ],
        json="failure",
    )


def _close_redriven(part: FlowCommit) -> list[str]:
    """Close the letters that run again; the fingerprint of each."""
    out = []
    for redriven in part.redriven:
        rows = sql.fetch(
            "UPDATE workflows_deadletter SET state = 'redriven', redrive_id = %s, closed_by = %s,"
            f" closed_at = {sql.now_sql()}, rerun = %s, outcome = %s"
            " WHERE id = %s AND state = 'open' RETURNING fingerprint",
            (redriven.redrive_id, redriven.by, redriven.rerun, redriven.outcome, redriven.id),
        )
        if not rows:
            raise Fenced(f"dead letter {redriven.id} was taken up by somebody else")
        out.append(rows[0][0])
    return out


def _write_tallies(part: FlowCommit) -> None:
    sql.insert_many(
        "workflows_counter",
        'flow_id, node, "partition", name, n',
        [(part.flow_id, *where, more) for where, more in sorted(part.counters.items())],
        'ON CONFLICT (flow_id, node, "partition", name)'
        " DO UPDATE SET n = workflows_counter.n + excluded.n",
    )
    sql.insert_many(
        "workflows_minute",
        "flow_id, minute, events, dead",
        [(part.flow_id, minute, *more) for minute, more in sorted(part.minutes.items())],
        "ON CONFLICT (flow_id, minute) DO UPDATE SET"
        " events = workflows_minute.events + excluded.events,"
        " dead = workflows_minute.dead + excluded.dead",
    )


def _write_state(part: FlowCommit) -> None:
    for node in sorted({node for node, _ in part.state}):
        if not sql.execute(
            "INSERT INTO workflows_memory (flow_id, node, version) VALUES (%s, %s, 1)"
            " ON CONFLICT (flow_id, node) DO UPDATE SET version = workflows_memory.version + 1"
            " WHERE workflows_memory.version = %s",
            (part.flow_id, node, part.state_read.get(node, 0)),
        ):
            raise Stale(node)
    sql.insert_many(
        "workflows_nodestate",
        "flow_id, node, key, value, expires_at",
        [
            (part.flow_id, node, key, value, expires_at)
            for (node, key), (value, expires_at) in sorted(part.state.items())
            if value is not None
        ],
        "ON CONFLICT (flow_id, node, key)"
        " DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
    )
    for (node, key), (value, _) in sorted(part.state.items()):
        if value is None:
            sql.execute(
                "DELETE FROM workflows_nodestate WHERE flow_id = %s AND node = %s AND key = %s",
                (part.flow_id, node, key),
            )


def _write_answers(part: FlowCommit) -> None:
    sql.insert_many(
        "workflows_answer",
        'channel_id, "partition", "offset", body, answered_at',
        [
            (answer.channel_id, answer.partition, answer.offset, answer.body, answer.answered_at)
            for answer in part.answers
        ],
        "ON CONFLICT DO NOTHING",
    )
