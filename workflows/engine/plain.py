"""How does a value that an expression gave become plain JSON?"""

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from workflows.engine.event import JSON

_DEEPEST = 64
_LARGEST = 100_000
MOST_CHARACTERS = 4_194_304  # of all texts of one value, and of what one node makes by expressions


class NotPlain(Exception):
    """The value can't be written as JSON; the text completes "The result …"."""


class TooLarge(NotPlain):
    """JSON can carry the value, but an event shouldn't."""


def to_json(value: Any) -> JSON:
    """Times become RFC 3339 text, durations seconds ("90s"), bytes base64.

    Raises NotPlain for what JSON can't carry, and for what is too deep or too large: a flow with a
    loop could otherwise let an event grow for ever.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return Converter().convert(value, 0)


def read_json(text: str) -> JSON:
    """The value of a JSON text; whole numbers beyond 64 bits become decimal ones, as in the log.
    Raises ValueError, also for what is too deep or too large for an event."""
    try:
        return to_json(orjson.loads(text))
    except NotPlain as error:
        raise ValueError(f"it {error}") from None


def rfc3339(moment: float) -> str:
    """Unix seconds as `2026-01-31T12:00:00Z`, with a fraction only where there is one."""
    return _timestamp(datetime.fromtimestamp(moment, UTC))


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Converter:
    """Converts values that may together have `room` characters in their texts."""

    def __init__(self, room: int = MOST_CHARACTERS) -> None:
        self._seen = 0
        self.room = room  # what is left

    def convert(self, value: Any, depth: int) -> JSON:
        """See `to_json`."""
        self._seen += 1
        if self._seen > _LARGEST:
            raise TooLarge(f"has more than {_LARGEST:,} values")
        if depth > _DEEPEST:
            raise TooLarge(f"is nested deeper than {_DEEPEST} levels")
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise NotPlain("is not a number that JSON can carry (a division by zero?)")
            return value
        if isinstance(value, list):
            return [self.convert(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {self._key(k): self.convert(item, depth + 1) for k, item in value.items()}
        return self._text(_scalar(value))

    def _text(self, text: str) -> str:
        self.room -= len(text)
        if self.room < 0:
            raise TooLarge(f"has more than {MOST_CHARACTERS:,} characters")
        return text

    def _key(self, key: Any) -> str:
        if isinstance(key, bool):
            return "true" if key else "false"
        return self._text(key if isinstance(key, str) else str(key))


def _scalar(value: Any) -> str:
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s" if value.microseconds else f"{_whole(value)}s"
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise NotPlain("is a type, not a value")


def _whole(value: timedelta) -> int:
    return value.days * 86_400 + value.seconds
