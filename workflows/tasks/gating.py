"""Which effects may this process send? What limits and breakers say, and what replies tell them.

A destination that fails `THRESHOLD` times in a row in one process is opened for all of them; one
good reply closes it.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from workflows.engine.effects import Reply, destination
from workflows.engine.limits import NO_LIMITS, Limits
from workflows.engine.plan import Plan
from workflows.engine.walk import Ask
from workflows.storage import cursors, dbclock, eventkeys, gates, passage, work
from workflows.storage.parts import TraceRef
from workflows.storage.plans import load_plan
from workflows.storage.work import TakenEffect
from workflows.tasks.owner import owner

THRESHOLD = 20  # failures in a row
_MOST_COUNTED = 10_000  # destinations; addresses may come from events
_FRESH_SECONDS = 0.5
_TICK_SECONDS = 0.002  # by which a process may take the database's clock to be further than it is


class Breakers:
    """What this process knows of destinations. Used by its threads in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._opened: set[str] = set()
        self._guarded: set[str] = set()
        self._looked_at = 0.0

    def guards(self, name: str) -> bool:
        """Whether a destination has limits or an open breaker, as of half a second ago."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= _FRESH_SECONDS:
                self._looked_at = now
                found = gates.guarded()
                self._guarded = set(found)
                self._opened = {name for name, is_open in found.items() if is_open}
            return name in self._guarded

    def note(self, workspace_id: int, to: str, reply: Reply, is_probe: bool) -> None:
        """Learn from a reply. Of a destination that is down already, only a probe's failure says
        anything new: other effects were under way when that was found out."""
        name = gates.destination_gate(workspace_id, to)
        with self._lock:
            if not _is_down(reply):
                self._failures.pop(name, None)
                if name in self._opened or is_probe:
                    self._opened.discard(name)
                    gates.close_breaker(workspace_id, to)
                return
            if len(self._failures) > _MOST_COUNTED:
                self._failures.clear()
            self._failures[name] += 1
            says = reply.message or f"It answered {reply.status}."
            if is_probe:
                gates.keep_open(workspace_id, to, says)
            elif self._failures[name] >= THRESHOLD:
                del self._failures[name]  # whoever closes it, it takes as many to open it again
                gates.open_breaker(workspace_id, to, says)
                self._opened.add(name)
                self._guarded.add(name)


def _is_down(reply: Reply) -> bool:
    return reply.error in ("timeout", "connection") or reply.status >= 500


def free_to_go(flow_id: int, plan: Plan, ask: Ask, breakers: Breakers) -> bool:
    """Whether an effect may go out right after its commit, without asking any gate."""
    if plan.nodes[ask.arrival.node].node.limits():
        return False
    to = destination(ask.effect)
    return not breakers.guards(gates.destination_gate(cursors.workspace_of(flow_id), to))


class Admitted(NamedTuple):
    """What may go out of that which was taken; what of it, by (flow, number), has a slot or tries
    a destination that is down; and when the next of the others is due again (Unix seconds)."""

    rows: list[TakenEffect]
    slotted: set[tuple[int, int]]
    probes: set[tuple[int, int]]
    again_at: float | None


def hold_back(taken: Sequence[TakenEffect], free: Container[tuple[int, int]]) -> Admitted:
    """Give back what limits and breakers keep; nothing of `free`, by (flow, number). In the
    transaction that took the effects."""
    asking = [
        (row, _limits_of(row.version_id, row.node))
        for row in taken
        if (row.flow_id, row.number) not in free
    ]
    keys = eventkeys.of_traces(
        {row.ref for row, limits in asking if limits and limits.per == "key"}
    )
    due = [
        passage.Due(
            row.flow_id,
            row.number,
            _own_gate(row, limits, keys),
            limits,
            cursors.workspace_of(row.flow_id),
            row.destination,
            row.timeout_seconds,
        )
        for row, limits in asking
    ]
    found = passage.sort(due, dbclock.now())
    later = [(*one.place, *when) for one, when in found.later]
    work.postpone_effects(owner(), later)
    for one in found.shut:
        work.postpone_destination(one.workspace_id, one.destination, one.until)
    held = {one.place for one, _ in found.later}
    return Admitted(
        [row for row in taken if (row.flow_id, row.number) not in held],
        found.slotted,
        found.probes,
        min((when.moment + _TICK_SECONDS for _, when in found.later), default=None),
    )


def _limits_of(version_id: int, node: str) -> Limits:
    planned = load_plan(version_id).nodes.get(node)
    return NO_LIMITS if planned is None else planned.node.limits()


def _own_gate(row: TakenEffect, limits: Limits, keys: Mapping[TraceRef, str]) -> str:
    """Name of the gate of its node, or of its key there; "" without limits."""
    if not limits:
        return ""
    if limits.per == "key":
        return gates.key_gate(row.flow_id, row.node, keys[row.ref])
    return gates.node_gate(row.flow_id, row.node)
