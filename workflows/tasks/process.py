"""What does a worker process keep between tasks? Its performer and its hint sender."""

import threading
from collections.abc import Collection, Sequence
from functools import cache

from django.conf import settings

from workflows.connectors.guard import parse_networks
from workflows.connectors.http import HttpConnector
from workflows.connectors.mail import MailConnector
from workflows.storage import cursors
from workflows.storage.commit import Committed
from workflows.storage.parts import FlowCommit
from workflows.tasks.nudge import nudge
from workflows.tasks.performer import Performer
from workflows.traces.hints import Hints

_lock = threading.Lock()
_performer: Performer | None = None


def performer() -> Performer:
    """This process's performer, started on the first call."""
    global _performer
    with _lock:
        if _performer is None:
            from workflows.tasks.settle import settle, take

            connectors = {
                "http": HttpConnector(parse_networks(settings.EVENTFLOW_HTTP_ALLOW)),
                "mail": MailConnector(),
            }
            _performer = Performer(connectors, settle, take)
        return _performer


def stop_performer(seconds: float) -> None:
    """End it, if it was ever started. What is in flight gets so many seconds."""
    global _performer
    with _lock:
        running, _performer = _performer, None
    if running is not None:
        running.stop(seconds)


@cache
def hints() -> Hints:
    return Hints()


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
