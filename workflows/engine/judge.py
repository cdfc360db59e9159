"""How does what a node said become the outcome of its step?"""

from typing import Any

from workflows.engine.event import JSON, Event
from workflows.engine.outcome import Said


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


def with_error(event: Event, node_id: str, failure: dict[str, Any]) -> Event:
    """The event as it came, the failure described in extension attributes."""
    described = {
        "errornode": node_id,
        "errorkind": failure["kind"],
        "errormessage": failure["message"],
    }
    return event.replace(extensions={**event.extensions, **described})
