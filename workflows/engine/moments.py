"""Which moment does a value name, and how are durations told to people?"""

import math
from datetime import UTC, datetime

from workflows.engine.event import JSON
from workflows.engine.node import NodeError
from workflows.engine.plain import rfc3339

LONGEST_SECONDS = 366 * 86_400.0  # nothing is planned for later than this
_END_OF_TIME = 253_402_300_799.0  # the last second of the year 9999
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def to_moment(value: JSON) -> float:
    """Unix seconds of a number (Unix seconds) or of ISO 8601 text; without a zone it is UTC.

    Raises NodeError for anything else, and for what isn't between 1970 and 9999.
    """
    moment = _read(value)
    if moment is None or not 0 <= moment <= _END_OF_TIME:
        shown = value if isinstance(value, (str, int, float)) else type(value).__name__
        raise NodeError("time", f'"{shown}" is not a time: give ISO 8601 text or Unix seconds.')
    return moment


def to_planned(value: JSON, now: float) -> float:
    """`to_moment`, as far ahead as anything is planned; NodeError for what lies beyond."""
    moment = to_moment(value)
    if moment > now + LONGEST_SECONDS:
        raise NodeError("time", f"{rfc3339(moment)} is more than 366 days ahead.")
    return moment


def _read(value: JSON) -> float | None:
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def say_span(start: float, end: float) -> str:
    """From when to when, in a sentence."""
    return f"from {rfc3339(start)} to {rfc3339(end)}"


def say_seconds(seconds: float) -> str:
    """Exact, in the largest unit that fits: 5400 is "90 min"."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
