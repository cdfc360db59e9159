"""Which event led to this one, and how long is the chain? So that a loop ends, and can be found.

Events that a flow derives or publishes carry `causationid` (the event that led to them),
`correlationid` (the first of the chain) and `hops`, its length: one for each channel, each HTTP
call and each turn round a cycle that it went through. HTTP calls carry them as W3C `traceparent`
and `Eventflow-Hops`, which the doors read again.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from workflows.engine.effects import HttpRequest, Publish
from workflows.engine.event import Event
from workflows.engine.keys import stable_key
from workflows.engine.node import Context, Failed
from workflows.engine.outcome import Said

MOST_HOPS = 32  # unless the flow's settings say otherwise
HOPS_HEADER = "eventflow-hops"
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def note_causes(
    said: Said, event: Event, ctx: Context, *, is_turn: bool, most: int
) -> Failed | None:
    """Note in all that came of `event` where it comes from; the failure if the chain is too long.

    `ctx` is the node's, pointed at the arrival; `is_turn`: it has just gone round a cycle of the
    flow.
    """
    for index, (port, made) in enumerate(said.emissions):
        if is_turn or made.id != event.id:
            made = _derived(event, made, hops_of(event.extensions) + is_turn)
            said.emissions[index] = port, made
    if said.ask is None and not said.inside and not is_turn:
        return None  # by far the most frequent
    if isinstance(said.ask, HttpRequest):
        said.ask = _traced(said.ask, event, ctx.key)
    hops = hops_of(event.extensions) + 1
    for index, effect in enumerate(said.inside):
        if isinstance(effect, Publish):
            said.inside[index] = _published(effect, event, hops)
    goes_on = is_turn or said.ask is not None or any(isinstance(e, Publish) for e in said.inside)
    return _loop(hops) if goes_on and hops > most else None


def hops_of(attributes: Mapping[str, Any]) -> int:
    """The length of the chain that led to an event; 0 for the first."""
    hops = attributes.get("hops", 0)
    return hops if type(hops) is int and hops > 0 else 0


def trace_parent(text: str) -> str:
    """A W3C trace context as it was sent, or "" when it can't be one."""
    match = _TRACEPARENT.fullmatch(text.strip().lower())
    return match[0] if match and match[1].strip("0") else ""


def _causes(event: Event) -> dict[str, Any]:
    first = event.extensions.get("correlationid")
    return {
        "causationid": event.id,
        "correlationid": first if isinstance(first, str) and first else event.id,
    }


def _derived(event: Event, made: Event, hops: int) -> Event:
    more = _causes(event) if made.id != event.id else {}
    if hops:
        more["hops"] = hops
    parent = made.traceparent or event.traceparent
    return made.replace(extensions={**made.extensions, **more}, traceparent=parent)


def _published(effect: Publish, event: Event, hops: int) -> Publish:
    body = {**effect.event, **_causes(event), "hops": hops}
    if event.traceparent:
        body.setdefault("traceparent", event.traceparent)
    return msgspec.structs.replace(effect, event=body)


def _traced(effect: HttpRequest, event: Event, key: str) -> HttpRequest:
    """The call as a child of the event's trace; a repeat of it has the same span."""
    given = {name.lower() for name in effect.headers}
    match = _TRACEPARENT.fullmatch(event.traceparent or "")
    trace = match[1] if match else stable_key("trace", _causes(event)["correlationid"])
    headers = {
        "traceparent": f"00-{trace}-{key[:16]}-01",
        HOPS_HEADER: str(hops_of(event.extensions) + 1),
    }
    more = {name: value for name, value in headers.items() if name not in given}
    return msgspec.structs.replace(effect, headers={**effect.headers, **more})


def _loop(hops: int) -> Failed:
    return Failed(
        "loop",
        f"This event has come round {hops - 1} times: that is taken for a loop. Break it with a"
        " condition, or allow longer chains by the flow's setting most_hops.",
    )
