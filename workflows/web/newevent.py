"""How does an event that a person sends from a page come to be?"""

import secrets
from datetime import UTC, datetime
from typing import Any

import orjson

_LARGEST = 256 * 1024  # bytes, as at the other doors
_DEEPEST = 64


class Refused(Exception):
    """The event can't be sent; `says` tells why and what to do."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status, self.says = status, says


def new_event(source: str, kind: str, data: Any) -> dict[str, Any]:
    """A CloudEvents object with an id of its own. Raises Refused for what is too large or deep."""
    if _is_deep(data):
        raise Refused(400, f"The data is nested deeper than {_DEEPEST} levels.")
    now = datetime.now(UTC)
    event = {
        "specversion": "1.0",
        "id": f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}",
        "source": source,
        "type": kind,
        "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": data,
    }
    try:
        size = len(orjson.dumps(event))
    except TypeError as error:
        raise Refused(422, f"The event can't be stored: {error}.") from None
    if size > _LARGEST:
        raise Refused(413, f"The event has {size:,} bytes; at most {_LARGEST:,} are taken.")
    return event


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        if not level:
            return False
        below = [one.values() if isinstance(one, dict) else one for one in level if _holds(one)]
        level = [item for some in below for item in some]
    return bool(level)


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list)
