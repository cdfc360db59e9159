"""When does a producer make events by itself, and does that work? For the flow's page."""

from datetime import UTC, datetime
from typing import NamedTuple

from workflows.engine.node import Node, Producer
from workflows.models import Flow
from workflows.storage import dbclock, timers
from workflows.storage.timers import Timed

_SHOWN = 3
_SOON_SECONDS = 5.0  # what pages call "just now", when it has been


class Line(NamedTuple):
    """A timed producer as pages show it."""

    node: str
    next_at: datetime | None
    is_late: bool  # its next moment has passed: the flow is paused, or it can't be fired
    is_soon: bool  # within seconds
    fired_at: datetime | None
    error: str


class Banner(NamedTuple):
    lines: list[Line]
    more: int  # failing timers that aren't shown


def banner(flow: Flow) -> Banner | None:
    """The timers of a flow that failed at their last moment; None without any."""
    nodes = flow.published.document["nodes"] if flow.published else ()
    names = {node["id"]: node.get("name") or node["id"] for node in nodes}
    now = dbclock.now()
    found = [_line(one, now) for one in timers.of_flow(flow.pk) if one.error]
    lines = [line._replace(node=names.get(line.node, line.node)) for line in found[:_SHOWN]]
    return Banner(lines, len(found[_SHOWN:])) if found else None


def is_timed(node_type: type[Node]) -> bool:
    """Whether nodes of this type make events by themselves."""
    return issubclass(node_type, Producer) and node_type.next_due is not Producer.next_due


def line_of(flow_id: int, node: str) -> Line | None:
    """How the timer of a node stands; None when the flow runs without one there."""
    now = dbclock.now()
    return next((_line(one, now) for one in timers.of_flow(flow_id) if one.node == node), None)


def _line(one: Timed, now: float) -> Line:
    return Line(
        one.node,
        _moment(one.next_at),
        one.next_at is not None and one.next_at < now - 1,
        one.next_at is not None and abs(one.next_at - now) < _SOON_SECONDS,
        _moment(one.fired_at),
        one.error,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
