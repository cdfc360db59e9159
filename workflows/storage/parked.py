"""How do effects and held arrivals get into their tables, in turn, and out of them?

In a flow that keeps order, the parked rows of one (node, lane) are a queue: the one with the
lowest number is its head, and only the head comes due. The others lie behind it, out of the way
of the look for due rows, until the commit that ends the head brings the next one forward.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from workflows.storage import sql
from workflows.storage.parts import Fenced, NewEffect, NewHeld, RetryEffect, Taken, Waiting

BEHIND = 1e18  # the `due_at` of a row that isn't the head of its lane


class Table(NamedTuple):
    """A table of parked rows, and when a row of it is due that comes to the head of its lane."""

    name: str
    due: str


EFFECTS = Table("workflows_effect", "0")
HELD = Table("workflows_held", "until")

Lane = tuple[str, str]  # (node, lane)


def end(
    table: Table,
    flow_id: int,
    owner: str,
    done: Sequence[Taken],
    retries: Sequence[RetryEffect] = (),
) -> list[Lane]:
    """Delete the rows that are done and reschedule the others; the lanes that lost their head.
    Raises `Fenced` when a row isn't the owner's any more, and changes nothing then."""
    wanted = [*done, *(retry.taken for retry in retries)]
    if not wanted:
        return []
    marks = ", ".join(["%s"] * len(wanted))
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    ours = {
        Taken(number, attempt): (node, lane)
        for number, attempt, node, lane in sql.fetch(
            f"SELECT number, attempt, node, lane FROM {table.name} WHERE flow_id = %s"
            f" AND owner = %s AND number IN ({marks}) ORDER BY number{lock}",
            (flow_id, owner, *(taken.number for taken in wanted)),
        )
    }
    lost = frozenset((flow_id, taken) for taken in wanted if taken not in ours)
    if lost:
        raise Fenced(f"{len(lost)} rows were taken over by somebody else", lost)
    if done:
        marks = ", ".join(["%s"] * len(done))
        sql.execute(
            f"DELETE FROM {table.name} WHERE flow_id = %s AND number IN ({marks})",
            (flow_id, *(taken.number for taken in done)),
        )
    sql.update_many(
        table.name,
        "due_at = v.due, failure = v.failure, owner = ''",
        "f, n, due, failure",
        "flow_id = v.f AND number = v.n",
        [(flow_id, retry.taken.number, retry.due_at, retry.failure) for retry in retries],
    )
    return [(node, lane) for node, lane in (ours[taken] for taken in done) if lane is not None]


def advance(table: Table, flow_id: int, freed: Iterable[Lane]) -> int:
    """Bring the next row of each lane to its head; how many there were.

    Only while the flow's clock is locked: a row that another commit adds is either seen here, or
    that commit sees the lane as this one leaves it.
    """
    lanes = [(flow_id, *lane) for lane in sorted(set(freed))]
    if not lanes:
        return 0
    found = sql.update_many(
        table.name,
        f"due_at = {table.due}",
        "f, node, lane",
        f"number = (SELECT MIN(w.number) FROM {table.name} w WHERE w.flow_id = v.f"
        " AND w.node = v.node AND w.lane = v.lane)"
        f" AND flow_id = v.f AND due_at >= {BEHIND} RETURNING {table.name}.number",
        lanes,
    )
    return len(found)


def _taken_lanes(table: Table, flow_id: int, rows: Iterable[Waiting]) -> set[Lane]:
    """Which of the rows' lanes have a head already."""
    lanes = {(flow_id, row.node, row.lane) for row in rows if row.lane is not None}
    if not lanes:
        return set()
    return {
        (node, lane)
        for node, lane in sql.find_many(
            f"SELECT v.node, v.lane FROM v WHERE EXISTS (SELECT 1 FROM {table.name} w"
            " WHERE w.flow_id = v.f AND w.node = v.node AND w.lane = v.lane)",
            "f, node, lane",
            sorted(lanes),
        )
    }


_WAITING = (
    'flow_id, number, version_id, node, subscription_id, "partition", "offset", run, path, lane,'
    " event, owner, due_at"
)


def _in_turn(
    table: Table, flow_id: int, number: int, rows: Sequence[Waiting]
) -> list[tuple[Any, ...]]:
    """The rows' common columns, numbered from `number`; due only where their turn has come."""
    taken = _taken_lanes(table, flow_id, rows)
    out: list[tuple[Any, ...]] = []
    for i, row in enumerate(rows):
        due_at = row.due_at
        if row.lane is not None:
            if (row.node, row.lane) in taken:
                due_at = BEHIND
            taken.add((row.node, row.lane))
        place = (flow_id, number + i, row.version_id, row.node, *row.ref, row.path, row.lane)
        out.append((*place, row.event, row.owner, due_at))
    return out


def insert_effects(flow_id: int, number: int, effects: Sequence[NewEffect]) -> None:
    """Park effects, numbered from `number`."""
    rows = _in_turn(EFFECTS, flow_id, number, [effect.waiting for effect in effects])
    sql.insert_many(
        EFFECTS.name,
        f"{_WAITING}, destination, since, key, request, timeout_seconds, attempt",
        [
            (
                *row,
                effect.destination,
                effect.since,
                effect.key,
                effect.request,
                effect.timeout_seconds,
                effect.attempt,
            )
            for row, effect in zip(rows, effects, strict=True)
        ],
    )


def insert_held(flow_id: int, number: int, held: Sequence[NewHeld]) -> None:
    """Park held arrivals, numbered from `number`."""
    rows = _in_turn(HELD, flow_id, number, [one.waiting for one in held])
    sql.insert_many(
        HELD.name,
        f"{_WAITING}, reason, since, until, attempt",
        [(*row, one.reason, one.since, one.until, 0) for row, one in zip(rows, held, strict=True)],
    )
