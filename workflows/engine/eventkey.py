"""Which key does an event have in a channel? What it names itself, else what the channel works out.

The key decides the partition, and so the order: `partitionkey`, else `subject`, else the channel's
key expression, else the event's id.
"""

from collections.abc import Mapping
from typing import NamedTuple

from workflows.engine.event import JSON
from workflows.engine.expression import EvaluationError, ExpressionError, bind, compile_key
from workflows.engine.keys import key_text


class EventKey(NamedTuple):
    """The key, and why the expression gave none where it should have ("" when all is well)."""

    text: str
    problem: str = ""


def event_key(event: Mapping[str, JSON], expression: str) -> EventKey:
    """The key of a CloudEvents object. Never raises: an event that the expression can't be worked
    out for, or gives null or an empty text for, has its id as its key."""
    named = event.get("partitionkey") or event.get("subject")
    if named or not expression:
        return EventKey(str(named or event["id"]))
    try:
        value = compile_key(expression).evaluate(bind(event, 0.0))
    except (EvaluationError, ExpressionError) as error:
        return EventKey(str(event["id"]), error.says)
    if value is None or value == "":
        return EventKey(str(event["id"]), "The key is empty.")
    return EventKey(key_text(value))


def key_refusal(expression: str) -> str:
    """Why events can't get their key by this expression; "" when they can, or when it is empty."""
    try:
        if expression:
            compile_key(expression)
    except ExpressionError as error:
        return str(error)
    return ""
