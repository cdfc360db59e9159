"""Who works on which replay, how far is it, and may it go on now?

The row is the truth: leases and paces are compared with the database's clock, and each step is
conditional on the lease's epoch, in the transaction that writes what the step leaves behind.
"""

from typing import Any

import msgspec
import orjson

from workflows.storage import cursors, sql
from workflows.storage.parts import Fenced
from workflows.storage.ranges import Selection, Span

BATCH = 200  # events a commit
_LEASE_SECONDS = 10.0
_BURST_SECONDS = 1.0  # of its pace that a replay may make up for
PAUSE = 0.2  # seconds, after giving way
_PATIENCE_SECONDS = 2.0  # then a few events go although others wait
_THIN = 20
_MOST_PARKED = 200  # unsettled effects of a replay; the next events wait in the log
_MOST_FAILURES = 5
_OPEN = "state IN ('counting', 'running')"
_COLUMNS = (
    "id, flow_id, version_id, subscription_id, mode, state, selection, rate, unread, uncounted,"
    " total, done, outcomes, clock, due_at, moved_at, epoch"
)


class Job(msgspec.Struct, frozen=True):
    """A replay as its leaseholder sees it."""

    id: int
    flow_id: int
    version_id: int
    subscription_id: int
    mode: str
    state: str
    selection: Selection
    rate: float | None
    unread: list[Span]
    uncounted: list[Span]
    total: int
    done: int
    outcomes: dict[str, int]
    clock: float
    due_at: float
    moved_at: float
    epoch: int

    def allowance(self, now: float) -> int:
        """How many events its pace lets through at this moment."""
        if self.rate is None:
            return BATCH
        since = max(self.due_at, now - _BURST_SECONDS)
        return min(BATCH, int((now - since) * self.rate) + 1)

    def after(self, events: int, now: float) -> float:
        """When the next event is due, so many having been taken."""
        if self.rate is None:
            return now
        return max(self.due_at, now - _BURST_SECONDS) + events / self.rate


def due() -> list[int]:
    """Replays that nobody works on although they may go on."""
    now = sql.now_sql()
    return [
        row[0]
        for row in sql.fetch(
            f"SELECT r.id FROM workflows_replay r JOIN workflows_flow f ON f.id = r.flow_id"
            f" WHERE r.{_OPEN} AND r.due_at <= {now} AND r.lease_until < {now}"
            " AND (r.mode = 'shadow' OR NOT f.paused) ORDER BY r.due_at LIMIT 100"
        )
    ]


def lease(replay_id: int, owner: str) -> Job | None:
    """Take a replay that is due; None when it isn't, or somebody else has it."""
    now = sql.now_sql()
    rows = sql.fetch(
        f"UPDATE workflows_replay SET owner = %s, epoch = epoch + 1,"
        f" lease_until = {now} + {_LEASE_SECONDS}"
        f" WHERE id = %s AND {_OPEN} AND due_at <= {now} AND lease_until < {now}"
        " AND (mode = 'shadow' OR NOT EXISTS (SELECT 1 FROM workflows_flow f"
        " WHERE f.id = workflows_replay.flow_id AND f.paused))"
        f" RETURNING {_COLUMNS}",
        (owner, replay_id),
    )
    return _job(rows[0]) if rows else None


def _job(row: sql.Row) -> Job:
    told = dict(zip(_COLUMNS.split(", "), row, strict=True))
    told["selection"] = msgspec.json.decode(told["selection"], type=Selection)
    told["outcomes"] = orjson.loads(told["outcomes"])
    for name in ("unread", "uncounted"):
        told[name] = [Span(*span) for span in orjson.loads(told[name])]
    return Job(**told)


def move(before: Job, after: Job, *, keep: bool) -> None:
    """Note how far the replay got. Part of the transaction that writes what it got there.

    `keep` goes on holding the lease. Raises `Fenced` when the replay was cancelled or is another
    worker's now.
    """
    now = sql.now_sql()
    ended = now if after.state == "done" else "NULL"
    if not sql.execute(
        f"UPDATE workflows_replay SET state = %s, unread = %s, uncounted = %s, total = %s,"
        f" done = %s, outcomes = %s, clock = %s, due_at = %s, moved_at = {now},"
        " failures = 0, error = '',"
        f" lease_until = CASE WHEN %s = 1 THEN {now} + {_LEASE_SECONDS} ELSE 0 END,"
        f" ended_at = {ended} WHERE id = %s AND epoch = %s AND {_OPEN}",
        (
            after.state,
            _json(after.unread),
            _json(after.uncounted),
            after.total,
            after.done,
            _json(after.outcomes),
            after.clock,
            after.due_at,
            int(keep),
            before.id,
            before.epoch,
        ),
    ):
        raise Fenced(f"replay {before.id} was cancelled, or is another worker's")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def release(job: Job, due_at: float | None = None) -> None:
    """Give the lease back, until `due_at` at least."""
    sql.execute(
        "UPDATE workflows_replay SET lease_until = 0, due_at = %s WHERE id = %s AND epoch = %s",
        (job.due_at if due_at is None else due_at, job.id, job.epoch),
    )


def stumble(job: Job, says: str, *, for_good: bool) -> bool:
    """Note a failure; after some in a row the replay has failed. Whether it has."""
    now = sql.now_sql()
    sql.execute(
        f"UPDATE workflows_replay SET failures = failures + 1, error = %s, lease_until = 0,"
        f" due_at = {now} + failures + 1 WHERE id = %s AND epoch = %s",
        (sql.column(says, 300), job.id, job.epoch),
    )
    with sql.write():
        has_failed = bool(
            sql.execute(
                f"UPDATE workflows_replay SET state = 'failed', ended_at = {now}"
                f" WHERE id = %s AND epoch = %s AND {_OPEN} AND (failures >= %s OR %s = 1)",
                (job.id, job.epoch, _MOST_FAILURES, int(for_good)),
            )
        )
        if has_failed:
            forget_memory(job.id)
    return has_failed


def turn(job: Job, run: int, now: float) -> int:
    """How many events may go now: live traffic first, but never for ever; 0 gives way."""
    wanted = job.allowance(now)
    if job.mode != "shadow" and _parked(job.flow_id, run) >= _MOST_PARKED:
        return 0
    if not _others_wait():
        return wanted
    return min(wanted, _THIN) if now - job.moved_at > _PATIENCE_SECONDS else 0


def _others_wait() -> bool:
    return bool(sql.fetch(f"SELECT 1{cursors.LAGGING} AND NOT f.paused LIMIT 1"))


def _parked(flow_id: int, run: int) -> int:
    """How many effects of this replay aren't settled yet, up to the bound."""
    rows = sql.fetch(
        "SELECT COUNT(*) FROM (SELECT 1 FROM workflows_effect WHERE flow_id = %s AND run = %s"
        f" LIMIT {_MOST_PARKED}) AS parked",
        (flow_id, run),
    )
    return int(rows[0][0])


def needed_from(channel_id: int, partition: int) -> int | None:
    """The lowest offset that an unfinished replay still needs; None when none does."""
    of_channel = (
        " FROM workflows_replay r JOIN workflows_subscription s ON s.id = r.subscription_id"
        f" WHERE s.channel_id = %s AND r.{_OPEN}"
    )
    needed = [
        low
        for (unread,) in sql.fetch(f"SELECT r.unread{of_channel}", (channel_id,))
        for where, low, _ in orjson.loads(unread)
        if where == partition
    ]
    held = sql.fetch(
        'SELECT MIN("offset") FROM workflows_shadowheld WHERE "partition" = %s'
        f" AND replay_id IN (SELECT r.id{of_channel})",
        (partition, channel_id),
    )[0][0]
    return min([*needed, *([] if held is None else [int(held)])], default=None)


def forget_memory(replay_id: int) -> None:
    """Delete what a shadow run remembered. Part of the transaction that ends it."""
    for table in ("workflows_shadowstate", "workflows_shadowheld"):
        sql.execute(f"DELETE FROM {table} WHERE replay_id = %s", (replay_id,))
