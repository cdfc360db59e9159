"""Which parked work is due, and who takes it? Effects and held arrivals.

A row is taken by moving its `due_at` to the end of the taker's lease. Nothing else needs doing
when the taker dies: the row is simply due again.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from workflows.storage import dbclock, sql
from workflows.storage.parts import TraceRef

HELD_LEASE_SECONDS = 10.0
EFFECT_MARGIN_SECONDS = 5.0  # lease of an effect = its time-out + this
_MOST_POSTPONED = 1_000  # effects in one statement


class TakenEffect(NamedTuple):
    flow_id: int
    number: int
    version_id: int
    node: str
    ref: TraceRef
    path: int
    lane: str | None
    destination: str
    since: float
    key: str
    request: bytes
    event: bytes | None
    timeout_seconds: float
    attempt: int  # this call's, 1 for the first


class Wait(NamedTuple):
    """That a node holds an arrival, and why."""

    node: str
    reason: str


class TakenHeld(NamedTuple):
    flow_id: int
    number: int
    version_id: int
    node: str
    ref: TraceRef
    path: int
    lane: str | None
    event: bytes | None
    until: float
    attempt: int


def _present() -> tuple[str, list[object]]:
    """The moment up to which rows are due, as SQL and its parameters. SQLite's own clock counts
    milliseconds: by it, what a process has just parked isn't due before the next one, and the only
    look that follows may come sooner."""
    return (sql.now_sql(), []) if sql.is_postgres() else ("%s", [dbclock.now()])


def _any_due(table: str) -> bool:
    """Cheap: asked before a write transaction is begun."""
    now, params = _present()
    return bool(sql.fetch(f"SELECT 1 FROM {table} WHERE due_at <= {now} LIMIT 1", params))


def _due(table: str, limit: int, busy: Collection[tuple[int, str]]) -> tuple[str, list[object]]:
    """A sub-select of the rows to take. `busy` (flow, node) pairs are passed over."""
    now, params = _present()
    skip = ""
    for flow_id, node in busy:
        skip += " AND NOT (d.flow_id = %s AND d.node = %s)"
        params += [flow_id, node]
    lock = " FOR UPDATE OF d SKIP LOCKED" if sql.is_postgres() else ""
    return (
        f"SELECT d.flow_id, d.number FROM {table} d JOIN workflows_flow f ON f.id = d.flow_id"
        f" WHERE d.due_at <= {now} AND NOT f.paused{skip} ORDER BY d.due_at LIMIT %s{lock}",
        [*params, limit],
    )


def take_effects(
    owner: str, limit: int, busy: Collection[tuple[int, str]] = ()
) -> list[TakenEffect]:
    """Take up to `limit` due effects; each one's lease is its time-out and a margin."""
    due, params = _due("workflows_effect", limit, busy)
    rows = sql.fetch(
        "UPDATE workflows_effect SET owner = %s, attempt = attempt + 1, gate = '',"
        f" due_at = {sql.now_sql()} + timeout_seconds + {EFFECT_MARGIN_SECONDS}"
        f" WHERE (flow_id, number) IN ({due})"
        ' RETURNING flow_id, number, version_id, node, subscription_id, "partition", "offset",'
        " run, path, lane, destination, since, key, request, event, timeout_seconds, attempt",
        [owner, *params],
    )
    return [
        TakenEffect(
            flow_id=row[0],
            number=row[1],
            version_id=row[2],
            node=row[3],
            ref=TraceRef(*row[4:8]),
            path=row[8],
            lane=row[9],
            destination=row[10],
            since=row[11],
            key=row[12],
            request=bytes(row[13]),
            event=None if row[14] is None else bytes(row[14]),
            timeout_seconds=row[15],
            attempt=row[16],
        )
        for row in rows
    ]


def postpone_effects(owner: str, later: Sequence[tuple[int, int, float, str]]) -> None:
    """Give taken effects back uncalled, due at another moment, and earlier where a slot of a gate
    becomes free: (flow, number, moment, gate or "")."""
    sql.update_many(
        "workflows_effect",
        "owner = '', attempt = attempt - 1, due_at = v.due, gate = v.gate",
        "f, n, due, gate, o",
        "flow_id = v.f AND number = v.n AND owner = v.o",
        [(*one, owner) for one in later],
    )


def postpone_destination(workspace_id: int, destination: str, until: float) -> None:
    """Let due effects to a destination that is down come back later, without taking each of them:
    many may wait, and stand before what may go."""
    lock = " FOR UPDATE OF d SKIP LOCKED" if sql.is_postgres() else ""
    sql.execute(
        "UPDATE workflows_effect SET owner = '', due_at = %s WHERE (flow_id, number) IN"
        " (SELECT d.flow_id, d.number FROM workflows_effect d"
        f" JOIN workflows_flow f ON f.id = d.flow_id WHERE d.due_at <= {sql.now_sql()}"
        f" AND d.destination = %s AND f.workspace_id = %s LIMIT {_MOST_POSTPONED}{lock})",
        (until, destination, workspace_id),
    )


def effects_due() -> bool:
    """Whether any effect is due, those of paused flows included."""
    return _any_due("workflows_effect")


def give_back_effects(owner: str, uncalled: Sequence[tuple[int, int, int]]) -> None:
    """Make due again what `owner` still has and didn't call: (flow, number, attempt)."""
    sql.update_many(
        "workflows_effect",
        f"owner = '', attempt = attempt - 1, due_at = {sql.now_sql()}",
        "f, n, a, o",
        "flow_id = v.f AND number = v.n AND attempt = v.a AND owner = v.o",
        [(*one, owner) for one in uncalled],
    )


def hand_back_effects(owner: str) -> int:
    """Make due at once what `owner` took and won't do. For a clean stop."""
    sql.execute(
        "DELETE FROM workflows_slot WHERE (flow_id, number) IN"
        " (SELECT flow_id, number FROM workflows_effect WHERE owner = %s)",
        (owner,),
    )
    return sql.execute(
        f"UPDATE workflows_effect SET owner = '', due_at = {sql.now_sql()} WHERE owner = %s",
        (owner,),
    )


def take_held(owner: str, limit: int) -> list[TakenHeld]:
    """Take up to `limit` held arrivals whose moment has come."""
    if not _any_due("workflows_held"):
        return []
    due, params = _due("workflows_held", limit, ())
    rows = sql.fetch(
        "UPDATE workflows_held SET owner = %s, attempt = attempt + 1,"
        f" due_at = {sql.now_sql()} + {HELD_LEASE_SECONDS}"
        f" WHERE (flow_id, number) IN ({due})"
        ' RETURNING flow_id, number, version_id, node, subscription_id, "partition", "offset",'
        " run, path, lane, event, until, attempt",
        [owner, *params],
    )
    return [
        TakenHeld(
            flow_id=row[0],
            number=row[1],
            version_id=row[2],
            node=row[3],
            ref=TraceRef(*row[4:8]),
            path=row[8],
            lane=row[9],
            event=None if row[10] is None else bytes(row[10]),
            until=row[11],
            attempt=row[12],
        )
        for row in rows
    ]


def held_of(flow_id: int, ref: TraceRef, limit: int) -> list[Wait]:
    """Where a trace is held, the first to go on first."""
    rows = sql.fetch(
        "SELECT node, reason FROM workflows_held WHERE flow_id = %s AND subscription_id = %s"
        ' AND "partition" = %s AND "offset" = %s AND run = %s ORDER BY due_at LIMIT %s',
        (flow_id, *ref, limit),
    )
    return [Wait(*row) for row in rows]
