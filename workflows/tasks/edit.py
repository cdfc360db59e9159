"""What may the payload of a dead letter be changed into, before it runs again?"""

import orjson

from workflows.engine.event import JSON
from workflows.engine.plain import NotPlain, to_json

MOST_BYTES = 256 * 1024  # of the whole event, as at the doors


class Refused(Exception):
    """The event can't be that; the text says why, for people."""


def edited(stored: bytes, data: JSON) -> bytes | None:
    """The stored event with other data; None when it has these already. Id, source, type and all
    else stay, so it is still the same event. Raises `Refused`."""
    event = orjson.loads(stored)
    try:
        plain = to_json(data)
    except NotPlain as problem:
        raise Refused(f"This can't be the data of an event: it {problem}.") from None
    if "data_base64" not in event and plain == event.get("data"):
        return None
    event.pop("data_base64", None)
    event["data"] = plain
    out = orjson.dumps(event)
    if len(out) > MOST_BYTES:
        raise Refused(f"The event would have {len(out):,} bytes; at most {MOST_BYTES:,} are taken.")
    return out
