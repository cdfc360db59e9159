"""Which attributes has an event, and what may be in them and in its data?"""

import base64
import re
from datetime import datetime
from typing import Any

from workflows.ingest.problems import Problem

MOST_DEPTH = 64
_TEXT_LENGTH = 255

ATTRIBUTES = frozenset(
    (
        "specversion",
        "id",
        "source",
        "type",
        "time",
        "subject",
        "datacontenttype",
        "dataschema",
        "partitionkey",
        "traceparent",
        "data",
        "data_base64",
    )
)
STRINGS = ("subject", "datacontenttype", "dataschema", "partitionkey", "traceparent")
OPTIONAL = frozenset(STRINGS)
_EXTENSION = re.compile(r"[a-z0-9]{1,20}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z")


def is_text(value: Any) -> bool:
    """Whether it will do for an attribute that is text: `wrong_text` says what is wrong."""
    return type(value) is str and 0 < len(value) <= _TEXT_LENGTH and "\x00" not in value


def wrong_text(name: str, value: Any, empty: bool = False) -> Problem | None:
    """What is wrong with an attribute that is text."""
    if not isinstance(value, str):
        return Problem(422, f"{name} must be text, not {kind_of(value)}.")
    if not value and not empty:
        return Problem(422, f"{name} must not be empty.")
    if len(value) > _TEXT_LENGTH:
        return Problem(
            422, f"{name} has {len(value)} characters; at most {_TEXT_LENGTH} are taken."
        )
    if "\x00" in value:
        return Problem(422, f"{name} contains a NUL character.")
    return None


def wrong_extension(name: str, value: Any) -> Problem | None:
    """What is wrong with an attribute that CloudEvents doesn't name."""
    if not _EXTENSION.match(name):
        return Problem(
            422,
            f"{name[:40]!r} isn't an event attribute: put it into data, or name it with up"
            " to 20 lower-case letters and digits.",
        )
    if not isinstance(value, str | int | bool):
        return Problem(422, f"The extension {name} must be text, a whole number or a boolean.")
    return wrong_text(name, value, empty=True) if isinstance(value, str) else None


def is_time(value: str) -> bool:
    """Whether it is RFC 3339."""
    if not _TIME.match(value):
        return False
    try:
        datetime.fromisoformat(value[:19] + "+00:00")
    except ValueError:
        return False
    return True


def is_base64(value: str) -> bool:
    """Whether it is Base64, padded and with nothing else in it."""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return True


def is_shallow(value: Any, most: int = MOST_DEPTH) -> bool:
    """Whether nothing in it is nested deeper than `most` levels."""
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return True
    for item in value:
        kind = type(item)
        if (kind is dict or kind is list) and (most <= 1 or not is_shallow(item, most - 1)):
            return False
    return True


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array"}
    return names.get(type(value), "an object")
