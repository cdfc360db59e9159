"""The Django models: tables and constraints, no queries.

In the tables that every event touches, moments are Unix seconds (float, the database's clock) and
payloads are UTF-8 JSON bytes: both databases read and write these without conversion.
"""

from workflows.models.alarm import Alarm, CursorCheck, FlowCheck
from workflows.models.dead import DeadGroup, Redrive
from workflows.models.flow import (
    Cursor,
    Draft,
    Flow,
    FlowClock,
    FlowVersion,
    Hook,
    Removal,
    Subscription,
)
from workflows.models.gate import Gate, Slot
from workflows.models.indexed import IndexedField, IndexedValue
from workflows.models.log import Channel, Event, Head, Seen
from workflows.models.people import ApiToken, Connection, Membership, Workspace
from workflows.models.replay import Difference, Replay, ShadowHeld, ShadowState
from workflows.models.run import Answer, Counter, Memory, Minute, NodeState, Segment, Trace
from workflows.models.work import DeadLetter, Effect, Held, Rejected, Timer

__all__ = [
    "Alarm",
    "Answer",
    "ApiToken",
    "Channel",
    "Connection",
    "Counter",
    "Cursor",
    "CursorCheck",
    "DeadGroup",
    "DeadLetter",
    "Difference",
    "Draft",
    "Effect",
    "Event",
    "Flow",
    "FlowCheck",
    "FlowClock",
    "FlowVersion",
    "Gate",
    "Head",
    "Held",
    "Hook",
    "IndexedField",
    "IndexedValue",
    "Membership",
    "Memory",
    "Minute",
    "NodeState",
    "Redrive",
    "Rejected",
    "Removal",
    "Replay",
    "Seen",
    "Segment",
    "ShadowHeld",
    "ShadowState",
    "Slot",
    "Subscription",
    "Timer",
    "Trace",
    "Workspace",
]
