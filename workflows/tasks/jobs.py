"""The Celery tasks. Messages carry ids only; each task may run twice or never without harm."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.db import close_old_connections

from workflows.storage import (
    cursors,
    deadletters,
    gatesweep,
    indexed,
    overdue,
    redrivework,
    replays,
    replaywork,
    retention,
    shrink,
    sql,
    work,
)
from workflows.tasks import clock, health
from workflows.tasks.asking import ask_for
from workflows.tasks.audit import audit as run_audit
from workflows.tasks.drain import drain_slice
from workflows.tasks.nudge import nudge
from workflows.tasks.owner import owner
from workflows.tasks.process import calm_collector, performer, share_interpreter, stop
from workflows.tasks.redrive import ask, work_on
from workflows.tasks.replay import ask as ask_for_replays
from workflows.tasks.replay import replay_slice
from workflows.tasks.rescue import keep_ending_stuck
from workflows.tasks.waker import Waker, ask_to_fire, let_ask

logger = logging.getLogger(__name__)

_STOP_SECONDS = 8.0
_INDEX_SECONDS = 0.2  # of each sweep
_AUDITS = 10  # rounds a second, while flows are due
_AUDIT_SECONDS = 1.0
_waker: Waker | None = None


@shared_task(name="workflows.drain")
def drain(subscription_id: int) -> None:
    """Work on one subscription's backlog for a slice; ask for another when some is left."""
    close_old_connections()
    if drain_slice(subscription_id):
        nudge([subscription_id])


@shared_task(name="workflows.redrive")
def redrive(run_id: int) -> None:
    """Work on a run over dead letters for a slice; ask for another when it can go on."""
    close_old_connections()
    if work_on(run_id):
        ask([run_id])


@shared_task(name="workflows.replay")
def replay(replay_id: int) -> None:
    """Work on a replay for a slice; ask for another when it can go on."""
    close_old_connections()
    if replay_slice(replay_id):
        ask_for_replays([replay_id])


@shared_task(name="workflows.fire")
def fire() -> None:
    """Do what is due for a slice, let the performer look for due effects, and ask for the runs
    over letters and replays that may go on."""
    close_old_connections()
    let_ask()
    is_left = clock.tick()
    if work.effects_due():
        performer().look()
    ask(redrivework.due())
    ask_for_replays(replaywork.due())
    if is_left:
        ask_to_fire()


@shared_task(name="workflows.tick")
def tick() -> None:
    """What the beat asks for each second, by one message: all that is due, and what else has to be
    looked for."""
    fire()
    sweep()
    audit(_AUDITS)
    health.report("timers")


@shared_task(name="workflows.sweep")
def sweep() -> None:
    """Find backlogs that nobody works on: lost nudges, dead workers."""
    close_old_connections()
    nudge(cursors.lagging())
    cursors.close_finished()
    indexed.catch_up(_INDEX_SECONDS)
    for one in overdue.expire():
        logger.warning("%d events of %s expired unread at %s", one.n, one.channel, one.node)


@shared_task(name="workflows.audit")
def audit(rounds: int) -> None:
    """Check that everything is accounted for, a little at a time: after each round whatever else
    has been asked for meanwhile is done first."""
    close_old_connections()
    if run_audit() and rounds > 1:
        ask_for(audit, rounds - 1, seconds=_AUDIT_SECONDS)


@shared_task(name="workflows.prune")
def prune() -> None:
    """Delete what retention lets go and what nobody needs, in small batches; then give the disk
    its space back."""
    close_old_connections()
    retention.prune()
    gatesweep.sweep()
    deadletters.forget()
    replays.forget()
    shrink.give_back()


@worker_ready.connect
def _begin(**_: Any) -> None:
    calm_collector()
    share_interpreter()
    performer()
    health.keep_reporting("worker")
    if sql.is_postgres():
        keep_ending_stuck()
    global _waker
    _waker = Waker(ask_to_fire)


@worker_shutdown.connect
def _end(**_: Any) -> None:
    """A clean stop: finish what is in flight, and let others take the rest at once. Not on
    `worker_shutting_down`: that is sent from within the handler of the signal, which may have
    come in the middle of a drain's transaction, for whose locks replies would then wait."""
    if _waker is not None:
        _waker.stop()
    stop(_STOP_SECONDS)
    work.hand_back_effects(owner())
