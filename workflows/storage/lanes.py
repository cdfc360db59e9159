"""Who waits behind whom? The lanes of a flow that keeps order, and the rows at their heads."""

from typing import Any, NamedTuple

import orjson

from workflows.storage import sql
from workflows.storage.parked import EFFECTS, HELD
from workflows.storage.parts import TraceRef
from workflows.storage.work import EFFECT_MARGIN_SECONDS, HELD_LEASE_SECONDS

MOST_ROWS = 500_000  # parked rows of each kind that one look goes through
_LEASE_SECONDS = 10.0  # of a claim: it ends with its transaction, or never was


class Head(NamedTuple):
    """The row at the head of a lane: a call to be made, or an event that a node holds."""

    flow_id: int
    number: int
    is_held: bool
    version_id: int
    node: str
    ref: TraceRef
    path: int
    lane: str
    event: bytes | None
    attempt: int  # calls begun, of a call
    failure: dict[str, Any] | None  # what the last call was answered
    destination: str
    reason: str  # why it is held
    since: float  # when it was parked
    due_at: float
    under_way_since: float | None  # None: nobody is working on it

    @property
    def says(self) -> str:
        """What the last call was answered, or why the event is held."""
        return self.reason or str((self.failure or {}).get("message", ""))


class Blocked(NamedTuple):
    """A lane in which others wait for the head."""

    head: Head
    event_id: str  # of the head's trace
    waiting: int
    waits_since: float  # the first of those that wait


class Page(NamedTuple):
    """Blocked lanes, the longest blocked first; whether more follow; and whether all lanes were
    looked at."""

    lanes: list[Blocked]
    is_more: bool
    is_whole: bool


_COMMON = (
    'number, version_id, node, subscription_id, "partition", "offset", run, path, lane, event,'
    " attempt, since, due_at"
)
_FIRST = (
    "NOT EXISTS (SELECT 1 FROM {0} w WHERE w.flow_id = {0}.flow_id AND w.node = {0}.node"
    " AND w.lane = {0}.lane AND w.number < {0}.number)"
)


def find_head(flow_id: int, number: int) -> Head | None:
    """The parked row of that number, if it is at the head of a lane."""
    effects = _heads(flow_id, [number], False, _FIRST.format(EFFECTS.name))
    found = effects or _heads(flow_id, [number], True, _FIRST.format(HELD.name))
    return found[0] if found else None


def claim(head: Head, owner: str) -> bool:
    """Take a head for somebody who ends it by hand. False when it isn't as it was read any more,
    or when a worker is busy with it. To be called in the transaction that ends it."""
    table = (HELD if head.is_held else EFFECTS).name
    return bool(
        sql.execute(
            f"UPDATE {table} SET owner = %s, due_at = {sql.now_sql()} + %s"
            " WHERE flow_id = %s AND number = %s AND attempt = %s"
            f" AND (owner = '' OR due_at <= {sql.now_sql()}) AND {_FIRST.format(table)}",
            (owner, _LEASE_SECONDS, head.flow_id, head.number, head.attempt),
        )
    )


def blocked(flow_id: int, beyond: int = 0, limit: int = 50, backwards: bool = False) -> Page:
    """Lanes of which more than the head waits, in the order of their heads' numbers, which is
    that of their arrival: those with numbers above `beyond`, or going back from there."""
    rows = sql.fetch(
        f"SELECT number, held, waiting FROM ({_lanes(EFFECTS.name, 0)} UNION ALL"
        f" {_lanes(HELD.name, 1)}) AS lanes WHERE number {'<' if backwards else '>'} %s"
        f" ORDER BY number {'DESC' if backwards else 'ASC'} LIMIT %s",
        (flow_id, MOST_ROWS, flow_id, MOST_ROWS, beyond, limit + 1),
    )
    shown = sorted(rows[:limit])
    behind = {number: waiting for number, _, waiting in shown}
    heads = [
        head
        for is_held in (False, True)
        for head in _heads(flow_id, [row[0] for row in shown if bool(row[1]) == is_held], is_held)
    ]
    since, ids = _waits_since(heads), _event_ids(heads)
    lanes = [
        Blocked(head, ids.get(head.ref, ""), behind[head.number], since[head.number])
        for head in sorted(heads, key=lambda head: head.number)
        if head.number in since  # else the last one behind it has just gone
    ]
    return Page(lanes, len(rows) > limit, _is_whole(flow_id))


def _lanes(table: str, held: int) -> str:
    return (
        f"SELECT MIN(number) AS number, {held} AS held, COUNT(*) - 1 AS waiting FROM"
        f" (SELECT node, lane, number FROM {table} WHERE flow_id = %s AND lane IS NOT NULL"
        " ORDER BY node, lane, number LIMIT %s) AS parked GROUP BY node, lane HAVING COUNT(*) > 1"
    )


def _is_whole(flow_id: int) -> bool:
    return not any(
        sql.fetch(
            f"SELECT 1 FROM {table.name} WHERE flow_id = %s AND lane IS NOT NULL"
            " ORDER BY node, lane, number LIMIT 1 OFFSET %s",
            (flow_id, MOST_ROWS),
        )
        for table in (EFFECTS, HELD)
    )


def _heads(flow_id: int, numbers: list[int], is_held: bool, only: str = "1 = 1") -> list[Head]:
    if not numbers:
        return []
    table = HELD if is_held else EFFECTS
    own = "NULL, '', reason" if is_held else "failure, destination, ''"
    lease = str(HELD_LEASE_SECONDS)
    if not is_held:
        lease = f"(timeout_seconds + {EFFECT_MARGIN_SECONDS})"
    begun = f"CASE WHEN owner <> '' AND due_at > {sql.now_sql()} THEN due_at - {lease} END"
    marks = ", ".join(["%s"] * len(numbers))
    rows = sql.fetch(
        f"SELECT {_COMMON}, {own}, {begun} FROM {table.name}"
        f" WHERE flow_id = %s AND number IN ({marks}) AND lane IS NOT NULL AND {only}",
        (flow_id, *numbers),
    )
    return [
        Head(
            flow_id=flow_id,
            number=row[0],
            is_held=is_held,
            version_id=row[1],
            node=row[2],
            ref=TraceRef(*row[3:7]),
            path=row[7],
            lane=row[8],
            event=None if row[9] is None else bytes(row[9]),
            attempt=row[10],
            failure=None if row[13] is None else orjson.loads(bytes(row[13])),
            destination=row[14],
            reason=row[15],
            since=row[11],
            due_at=row[12],
            under_way_since=row[16],
        )
        for row in rows
    ]


def _waits_since(heads: list[Head]) -> dict[int, float]:
    """By the head's number: since when the row right behind it waits."""
    out: dict[int, float] = {}
    for table in (EFFECTS, HELD):
        wanted = [
            (head.flow_id, head.node, head.lane, head.number)
            for head in heads
            if head.is_held == (table is HELD)
        ]
        found = sql.find_many(
            f"SELECT v.n, (SELECT w.since FROM {table.name} w WHERE w.flow_id = v.f"
            " AND w.node = v.node AND w.lane = v.lane AND w.number > v.n"
            " ORDER BY w.number LIMIT 1) FROM v",
            "f, node, lane, n",
            wanted,
        )
        out.update((number, since) for number, since in found if since is not None)
    return out


def _event_ids(heads: list[Head]) -> dict[TraceRef, str]:
    found = sql.find_many(
        "SELECT v.s, v.p, v.o, v.r, t.event_id FROM v JOIN workflows_trace t"
        ' ON t.subscription_id = v.s AND t."partition" = v.p AND t."offset" = v.o AND t.run = v.r',
        "s, p, o, r",
        sorted({tuple(head.ref) for head in heads}),
    )
    return {TraceRef(*row[:4]): row[4] for row in found}
