"""How does what a node said become the outcome of its step?"""

from collections.abc import Sequence
from typing import Any

from workflows.engine.context import Views
from workflows.engine.event import JSON, Event
from workflows.engine.node import Emission
from workflows.engine.outcome import Said
from workflows.engine.plan import PlannedNode

_SHOWN_EVENTS = 10  # of the many that one event became


def judge(said: Said, is_consumer: bool, has_sent: bool, unwired: list[str]) -> tuple[str, JSON]:
    """The outcome of a call that did not fail, and what explains it."""
    because = said.because
    if said.ask is not None:
        return "waiting", because
    if said.hold is not None:
        return "held", _explain(because, reason=said.hold.reason, until=said.hold.due)
    if said.filtered is not None and not has_sent:
        return said.filtered.outcome, _explain(because, reason=said.filtered.reason)
    if said.delivered is not None or said.inside or is_consumer:
        detail = said.delivered.detail if said.delivered is not None else None
        return "delivered", because if detail is None else _explain(because, detail=detail)
    if has_sent:
        return "passed", because
    if unwired:
        return "filtered", _explain(because, unwired=sorted(set(unwired)))
    return "filtered", _explain(because, reason="The node let nothing through.")


def _explain(because: JSON, **more: JSON) -> JSON:
    if because is None:
        return more
    return {**because, **more} if isinstance(because, dict) else {"because": because, **more}


def show_output(
    views: Views, planned: PlannedNode, came: Event, emissions: Sequence[Emission]
) -> dict[str, Any] | None:
    """What a step shows as its output: the events that differ from the one that came."""
    if not emissions or (len(emissions) == 1 and emissions[0][1] is came):
        return None  # by far the most frequent
    changed = [
        event
        for port, event in emissions
        # What a filter made is shown even where nobody takes it.
        if event is not came and (not planned.is_consumer or port in planned.targets)
    ]
    if not changed:
        return None
    if len(changed) == 1:
        return views.dict_of(changed[0])
    shown = [views.dict_of(event) for event in changed[:_SHOWN_EVENTS]]
    return {"events": shown, "total": len(changed)}


def with_error(event: Event, node_id: str, failure: dict[str, Any]) -> Event:
    """The event as it came, the failure described in extension attributes."""
    described = {
        "errornode": node_id,
        "errorkind": failure["kind"],
        "errormessage": failure["message"],
    }
    return event.replace(extensions={**event.extensions, **described})
