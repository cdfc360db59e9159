"""Which run of an event is it? The number of a run tells by itself, without a query.

0 is the live run; then come redrives, counted for each event. A replay gives all of its events the
same number, made of its id and its mode: so it never takes the number of a redrive or of another
replay, and a slice of it that is tried again makes the same traces, or none.
"""

from typing import NamedTuple

import msgspec

from workflows.engine.plan import Plan

FIRST_REPLAY = 1_000_000
_STARTS = (("shadow", 1_000_000_000), ("skip_done", 500_000_000), ("run", FIRST_REPLAY))
FIRST_SHADOW = 1_000_000_000
FIRST_TRIAL = 1_000_000  # from this number on a version is a draft that was never published


class ReplayRun(NamedTuple):
    """The replay that a run belongs to."""

    replay_id: int
    mode: str  # run, skip_done, shadow


def number(mode: str, replay_id: int) -> int:
    """The run number of all traces of a replay."""
    return dict(_STARTS)[mode] + replay_id


def replay_of(run: int) -> ReplayRun | None:
    """The replay whose run this is; None for live runs and redrives."""
    for mode, start in _STARTS:
        if run >= start:
            return ReplayRun(run - start, mode)
    return None


def kind(run: int) -> str:
    """live, redrive or replay."""
    if run >= FIRST_REPLAY:
        return "replay"
    return "redrive" if run else "live"


def word(run: int) -> str:
    """How people call the run."""
    found = replay_of(run)
    if found is not None:
        return f"{'shadow run' if found.mode == 'shadow' else 'replay'} {found.replay_id}"
    return f"redrive {run}" if run else "live"


def occurring(plan: Plan, run: int) -> Plan:
    """The plan as this run has it. A replay that makes its effects anew is a new occurrence by
    will: its idempotency keys and derived ids are its own; all other runs repeat the first one."""
    found = replay_of(run)
    if found is None or found.mode != "run":
        return plan
    return msgspec.structs.replace(plan, flow=f"{plan.flow}/replay/{found.replay_id}")


def together(run: int) -> int:
    """What may be settled in one walk: the runs of a replay, or all others (0)."""
    return run if run >= FIRST_REPLAY else 0
