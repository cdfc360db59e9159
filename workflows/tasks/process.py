"""What does a worker process keep between tasks? Its performer and its hint sender."""

import gc
import sys
import threading
from collections.abc import Collection, Sequence

from django.conf import settings

from workflows.connectors.base import Connector
from workflows.storage import cursors
from workflows.storage.commit import Committed
from workflows.storage.parts import FlowCommit
from workflows.tasks.gating import Breakers
from workflows.tasks.inhand import AHEAD_LIMIT
from workflows.tasks.nudge import disconnect, nudge
from workflows.tasks.performer import Performer
from workflows.tasks.settler import Ledger
from workflows.traces.hints import Hints

_TURN_SECONDS = 0.001
_lock = threading.Lock()
_performer: Performer | None = None
_hints: Hints | None = None
_breakers: Breakers | None = None


def calm_collector() -> None:
    """Let the garbage collector look less often. A batch makes tens of thousands of objects that
    reference counting frees by itself; looking through them took a third of a drain's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def share_interpreter() -> None:
    """Let threads change more often than every 5 ms. While one settles replies and holds the
    database's locks, another runs a plan; at each statement the first would wait for its end."""
    sys.setswitchinterval(_TURN_SECONDS)


def performer() -> Performer:
    """This process's performer, started on the first call."""
    global _performer
    with _lock:
        if _performer is None:
            from workflows.tasks.due import give_back, take
            from workflows.tasks.settle import settle

            _performer = Performer(_connectors(), Ledger(settle, take, give_back))
        return _performer


def calls_ahead(flow_id: int) -> int:
    """How many calls each node of a flow may make before a commit; -1: none, for it is slow."""
    return AHEAD_LIMIT if _performer is None else _performer.room.ahead(flow_id)


def _connectors() -> dict[str, Connector]:
    # Loaded only where something is performed: the web process and the timers start sooner.
    from workflows.connectors.celery_task import CeleryConnector, parse_brokers
    from workflows.connectors.guard import parse_networks
    from workflows.connectors.http import HttpConnector
    from workflows.connectors.mail import MailConnector

    return {
        "http": HttpConnector(parse_networks(settings.EVENTFLOW_HTTP_ALLOW)),
        "mail": MailConnector(),
        "celery_task": CeleryConnector(parse_brokers(settings.EVENTFLOW_TASK_BROKERS)),
    }


def hints() -> Hints:
    """This process's hint sender, started on the first call."""
    global _hints
    with _lock:
        if _hints is None:
            _hints = Hints()
        return _hints


def breakers() -> Breakers:
    """What this process knows of destinations."""
    global _breakers
    with _lock:
        if _breakers is None:
            _breakers = Breakers()
        return _breakers


def stop(seconds: float) -> None:
    """End what was started. Effects in flight get so many seconds to be answered and settled."""
    global _performer, _hints, _breakers
    if (acting := _performer) is not None:
        acting.stop(seconds)  # what settles its last replies still asks for it
    with _lock:
        _performer = _breakers = None
        telling, _hints = _hints, None
    if telling is not None:
        telling.stop()
    disconnect()


def announce(
    landed: dict[int, Committed], parts: Sequence[FlowCommit], channel_ids: Collection[int]
) -> None:
    """After a commit: tell live rooms, waiting callers, and the readers of what was published."""
    for flow_id, where in landed.items():
        hints().announce(flow_id, where.change)
    for part in parts:
        for answer in part.answers:
            hints().answered(f"{answer.channel_id}-{answer.partition}-{answer.offset}")
    if channel_ids:
        for readers in cursors.readers_of(sorted(channel_ids)).values():
            nudge(readers)
