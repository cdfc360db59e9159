"""How many traces of a replay are in which state? Each is counted once, when it has ended.

A page asks every two seconds, and a replay may have a million traces. What has ended stays as it
is, so a process remembers how many ended up to some change number, and which still ran.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from workflows.models import Replay
from workflows.storage import runs, sql

_MOST_RUNNING = 500  # that are remembered one by one
_MOST_REPLAYS = 1_000
_Run = tuple[int, int]  # flow, number of the run
_END = 2**62  # beyond all change numbers
# With both ends named SQLite goes by the number, too; else it looks through all of the run.
_AMONG = (
    "FROM workflows_trace WHERE flow_id = %s AND run = %s AND run > 0"
    " AND number > %s AND number <= %s"
)


class _Known(NamedTuple):
    """All traces up to a change number: how many ended how, and the numbers of the others."""

    upto: int
    ended: Counter[str]
    running: tuple[int, ...]


_NOTHING = _Known(0, Counter(), ())
_known: OrderedDict[tuple[int, float], _Known] = OrderedDict()
_lock = threading.Lock()


def states(replay: Replay) -> dict[str, int]:
    """How many of its traces are in which state now; those that retention took count as well, as
    long as this process knew them."""
    run = (replay.flow_id, runs.number(replay.mode, replay.pk))
    which = (replay.pk, replay.created_at)
    known = _advance(run, _look_again(run, _known.get(which, _NOTHING)))
    with _lock:
        _known[which] = known
        _known.move_to_end(which)
        if len(_known) > _MOST_REPLAYS:
            _known.popitem(last=False)
    still = Counter(running=len(known.running))
    return dict(known.ended + still + _count(run, known.upto, _END))


def _look_again(run: _Run, known: _Known) -> _Known:
    """What has become of those that still ran."""
    if not known.running:
        return known
    marks = ", ".join(["%s"] * len(known.running))
    rows = sql.fetch(
        "SELECT number, state FROM workflows_trace"
        f" WHERE flow_id = %s AND run = %s AND number IN ({marks})",
        (*run, *known.running),
    )
    ended = Counter(state for _, state in rows if state != "running")
    running = tuple(number for number, state in rows if state == "running")
    return known._replace(ended=known.ended + ended, running=running)


def _advance(run: _Run, known: _Known) -> _Known:
    """Count what has come since, as far as those that still run can be remembered."""
    newest = sql.fetch(f"SELECT MAX(number) {_AMONG}", (*run, known.upto, _END))[0][0]
    if newest is None:
        return known
    room = _MOST_RUNNING - len(known.running)
    rows = sql.fetch(
        f"SELECT number {_AMONG} AND state = 'running' ORDER BY number LIMIT %s",
        (*run, known.upto, newest, room + 1),
    )
    running = [number for (number,) in rows]
    if len(running) > room:
        newest = running.pop() - 1
    # Also without those that ended since that look: they are looked at again.
    ended = _count(run, known.upto, newest, running)
    return _Known(newest, known.ended + ended, (*known.running, *running))


def _count(run: _Run, above: int, upto: int, without: Sequence[int] = ()) -> Counter[str]:
    others = f" AND number NOT IN ({', '.join(['%s'] * len(without))})" if without else ""
    rows = sql.fetch(
        f"SELECT state, COUNT(*) {_AMONG}{others} GROUP BY state", (*run, above, upto, *without)
    )
    return Counter({state: int(n) for state, n in rows})
