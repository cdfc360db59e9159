"""How far is a run over dead letters, and what has come of it?

What a run takes up and how far it got are written in one transaction, so a worker that dies loses
nothing and repeats nothing; who takes the row next goes on from there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import IntegrityError

from workflows.models import Redrive
from workflows.storage import deadletters, sql
from workflows.storage.commit import Committed, commit
from workflows.storage.parts import FlowCommit, Stale

_LEASE_SECONDS = 30.0
_DUE = 20
_LOOK = 500  # letters whose outcome one look asks for
_PATIENCE_SECONDS = 60.0  # that a run which stops on errors waits for one letter's outcome


class Lost(Exception):
    """The run was cancelled, or another process works on it."""


class Target(NamedTuple):
    """Letters of one flow that failed alike."""

    flow_id: int
    fingerprint: str
    begin: int = 0  # the letter behind which they are still to be taken up


class Run(NamedTuple):
    """A run as a worker has taken it."""

    id: int
    act: str
    by: str
    workspace_id: int
    targets: tuple[Target, ...]
    letters: tuple[int, ...]
    edit: bytes | None
    as_failed: bool
    rate: float
    stop_after: int
    state: str
    done: int
    ok: int
    failed: int
    skipped: int
    target: int
    position: int
    bound: int
    since: float
    looked: int
    taken: int
    was_cut_off: bool  # its last worker didn't give it back: it may have died

    @property
    def pending(self) -> int:
        """Letters that were run again and haven't ended."""
        return 0 if self.act == "discard" else self.done - self.ok - self.failed


class Progress(NamedTuple):
    """What one commit of a run adds."""

    done: int = 0
    ok: int = 0
    failed: int = 0
    skipped: int = 0


def due() -> list[int]:
    """Runs that somebody should work on now."""
    rows = sql.fetch(
        "SELECT id FROM workflows_redrive WHERE ended_at IS NULL"
        f" AND due_at <= {sql.now_sql()} ORDER BY due_at LIMIT {_DUE}"
    )
    return [row[0] for row in rows]


def take(run_id: int, owner: str) -> Run | None:
    """The run, for as long as the lease lasts; None when it isn't due."""
    row = Redrive.objects.filter(pk=run_id).first()
    now = sql.now_sql()
    if row is None or not sql.execute(
        f"UPDATE workflows_redrive SET owner = %s, taken = taken + 1, due_at = {now} + %s"
        f" WHERE id = %s AND taken = %s AND ended_at IS NULL AND due_at <= {now}",
        (owner, _LEASE_SECONDS, run_id, row.taken),
    ):
        return None
    values = {name: getattr(row, name) for name in Run._fields if name != "was_cut_off"}
    values |= {
        "taken": row.taken + 1,
        "targets": tuple(Target(*target) for target in row.targets),
        "letters": tuple(row.letters),
        "edit": None if row.edit is None else bytes(row.edit),
    }
    return Run(**values, was_cut_off=bool(row.owner))


def commit_slice(
    run: Run, parts: Sequence[FlowCommit], owner: str, now: float, progress: Progress
) -> tuple[Run, dict[int, Committed]]:
    """Commit what was run again, and that the run is at its position now. Raises `Lost`, `Fenced`
    when a letter isn't open any more, and `Stale` also when a run number was taken meanwhile."""
    try:
        with sql.write():
            moved = move(run, progress)
            return moved, commit(parts, owner, now)
    except IntegrityError:
        raise Stale("run") from None


def move(run: Run, progress: Progress) -> Run:
    """Note progress up to the run's target and position. Raises `Lost`."""
    if not sql.execute(
        "UPDATE workflows_redrive SET done = done + %s, ok = ok + %s, failed = failed + %s,"
        " skipped = skipped + %s, target = %s, position = %s"
        " WHERE id = %s AND taken = %s AND state = 'running'",
        (*progress, run.target, run.position, run.id, run.taken),
    ):
        raise Lost
    return run._replace(
        done=run.done + progress.done,
        ok=run.ok + progress.ok,
        failed=run.failed + progress.failed,
        skipped=run.skipped + progress.skipped,
    )


def begin_alone(run: Run, letter: int) -> Run:
    """Move past a letter before it is run, as past one that couldn't be, and count the attempt: if
    the process ends now, that is what is known of it. Raises `Lost`."""
    with sql.write():
        moved = move(run._replace(position=letter), Progress(skipped=1))
        _count_attempt(letter, 1)
    return moved


def undo_alone(run: Run, letter: int) -> None:
    """Go back to where the run was before `begin_alone`. Raises `Lost`."""
    with sql.write():
        move(run, Progress(skipped=-1))
        _count_attempt(letter, -1)


def _count_attempt(letter: int, by: int) -> None:
    sql.execute(
        "UPDATE workflows_deadletter SET attempts = attempts + %s WHERE id = %s", (by, letter)
    )


def discard_slice(run: Run, letters: Sequence[int]) -> Run:
    """Discard those of the letters that are open. Raises `Lost`."""
    with sql.write():
        closed = deadletters.discard(letters, run.by, run.id)
        return move(run, Progress(done=closed))


def look(run: Run) -> Run:
    """Note the outcome of letters whose traces have ended since, some hundreds at a time."""
    rows = sql.fetch(
        "SELECT d.id, t.state FROM workflows_deadletter d LEFT JOIN workflows_trace t"
        ' ON t.subscription_id = d.subscription_id AND t."partition" = d."partition"'
        ' AND t."offset" = d."offset" AND t.run = d.rerun'
        " WHERE d.redrive_id = %s AND d.outcome = 'running' AND d.id > %s"
        " ORDER BY d.id LIMIT %s",
        (run.id, run.looked, _LOOK),
    )
    looked = rows[-1][0] if len(rows) == _LOOK else 0  # then once more from the beginning
    # A trace that retention took had ended; how, nobody can say any more.
    ended = [(letter, state or "filtered") for letter, state in rows if state != "running"]
    if not ended and looked == run.looked:
        return run
    with sql.write():
        noted = sql.update_many(
            "workflows_deadletter",
            "outcome = v.state",
            "i, state",
            # Who has lost the lease may look too: each outcome counts once.
            "id = v.i AND outcome = 'running' RETURNING outcome",
            ended,
        )
        failed = sum(outcome == "failed" for (outcome,) in noted)
        ok = len(noted) - failed
        sql.execute(
            "UPDATE workflows_redrive SET ok = ok + %s, failed = failed + %s, looked = %s"
            " WHERE id = %s",
            (ok, failed, looked, run.id),
        )
    return run._replace(ok=run.ok + ok, failed=run.failed + failed, looked=looked)


def waited_for(run: Run, limit: int) -> int:
    """How many letters a careful run still waits for, at most `limit`: those that were run again
    lately and haven't ended."""
    rows = sql.fetch(
        "SELECT COUNT(*) FROM (SELECT 1 FROM workflows_deadletter WHERE redrive_id = %s"
        f" AND outcome = 'running' AND closed_at > {sql.now_sql()} - %s LIMIT %s) AS waiting",
        (run.id, _PATIENCE_SECONDS, limit),
    )
    return int(rows[0][0])


def close(run: Run, state: str, says: str = "") -> None:
    """Take up no more letters; a cancelled run stays so."""
    sql.execute(
        "UPDATE workflows_redrive SET state = %s, says = %s"
        " WHERE id = %s AND taken = %s AND state = 'running'",
        (state, says, run.id, run.taken),
    )


def give_back(run: Run, after_seconds: float, says: str = "") -> None:
    """Let the run be taken again after so many seconds."""
    sql.execute(
        f"UPDATE workflows_redrive SET due_at = {sql.now_sql()} + %s, owner = '', says ="
        " CASE WHEN state = 'running' THEN %s ELSE says END WHERE id = %s AND taken = %s",
        (after_seconds, says, run.id, run.taken),
    )


def end(run: Run) -> None:
    """Nothing is left to do for it."""
    sql.execute(
        f"UPDATE workflows_redrive SET ended_at = {sql.now_sql()}, owner = ''"
        " WHERE id = %s AND taken = %s AND state <> 'running'",
        (run.id, run.taken),
    )
