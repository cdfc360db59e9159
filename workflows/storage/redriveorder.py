"""Which letters does a run over dead letters take up next? Those of paused flows come last."""

from collections.abc import Sequence

from workflows.models import Redrive
from workflows.storage import sql
from workflows.storage.redrivework import Lost, Run


def next_letters(run: Run, limit: int) -> tuple[Run, list[int]]:
    """The letters that come next, at most `limit`, and the run with the target they are of. None
    are left when the list is empty."""
    if run.letters:
        return run, list(_ahead(run)[:limit])
    while run.target < len(run.targets):
        target = run.targets[run.target]
        found = sql.fetch(
            "SELECT id FROM workflows_deadletter WHERE flow_id = %s AND state = 'open'"
            " AND fingerprint = %s AND id > %s AND id <= %s AND dead_at >= %s"
            " ORDER BY id LIMIT %s",
            (target.flow_id, target.fingerprint, run.position, run.bound, run.since, limit),
        )
        if found:
            return run, [row[0] for row in found]
        following = run.target + 1
        begin = run.targets[following].begin if following < len(run.targets) else 0
        run = run._replace(target=following, position=begin)
    return run, []


def put_off(run: Run) -> Run | None:
    """The run with all that is of paused flows moved behind what else is left; None when that is
    nothing. Raises `Lost`."""
    if run.letters:
        ahead = _ahead(run)
        paused = _paused("d.id", ahead)
        rest = tuple(letter for letter in ahead if letter not in paused)
        later = tuple(letter for letter in ahead if letter in paused)
        done = run.letters[: len(run.letters) - len(ahead)]
        return _keep(run._replace(letters=done + rest + later)) if rest else None
    here = run.targets[run.target]._replace(begin=run.position)
    left = (here, *run.targets[run.target + 1 :])
    paused = _paused("f.id", [target.flow_id for target in left])
    going = tuple(target for target in left if target.flow_id not in paused)
    waiting = tuple(target for target in left if target.flow_id in paused)
    if not going:
        return None
    targets = run.targets[: run.target] + going + waiting
    return _keep(run._replace(targets=targets, position=going[0].begin))


def _ahead(run: Run) -> tuple[int, ...]:
    """Letters named one by one that are still to be taken up."""
    if run.position not in run.letters:
        return run.letters
    return run.letters[run.letters.index(run.position) + 1 :]


def _paused(column: str, among: Sequence[int]) -> set[int]:
    """Which of these letters (`d.id`) are open and of paused flows, or flows (`f.id`) paused."""
    marks = ", ".join(["%s"] * len(among))
    letters = " JOIN workflows_deadletter d ON d.flow_id = f.id AND d.state = 'open'"
    rows = sql.fetch(
        f"SELECT {column} FROM workflows_flow f{letters if column == 'd.id' else ''}"
        f" WHERE f.paused AND {column} IN ({marks})",
        among,
    )
    return {row[0] for row in rows}


def _keep(run: Run) -> Run:
    kept = Redrive.objects.filter(pk=run.id, taken=run.taken, state=Redrive.State.RUNNING).update(
        targets=run.targets, letters=run.letters, position=run.position
    )
    if not kept:
        raise Lost
    return run
