"""Which values of an event does an index keep, and what may a typed text mean there?

A value is kept as 8 bytes of its hash. A number is the same however it is written (1 and 1.0), and
is never the same as a text; who looks for `1` may mean either, and gets both.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from workflows.engine.event import JSON
from workflows.engine.paths import Path, get_path

KEY = "key"  # the event's key, whatever it is made of
MOST_FIELDS = 5  # of a channel
LONGEST_VALUE = 1_000  # characters; a longer text isn't kept
_LONGEST_PATH = 120
_DATA = re.compile(r"data(\.[^\s.,=\"'\x00-\x1f]{1,100}){1,10}\Z")
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}\Z")
_NOT_HERE = ("data", "id", "source", "specversion")  # an id has its own index

Mark = tuple[int, int]  # (field, digest of its value)


class Indexed(NamedTuple):
    """A field of a channel that is indexed."""

    id: int
    path: str
    parts: Path


def field_of(number: int, path: str) -> Indexed:
    return Indexed(number, path, tuple(path.split(".")))


def path_refusal(path: str) -> str:
    """Why no field can be meant by this path, or nothing."""
    if len(path) > _LONGEST_PATH:
        return f"A field's path has at most {_LONGEST_PATH} characters."
    is_attribute = _ATTRIBUTE.match(path) and path not in _NOT_HERE
    if is_attribute or _DATA.match(path):
        return ""
    return f"{path!r} isn't a field: write key, data.order_id, or an attribute such as subject."


def fields_refusal(paths: Sequence[str]) -> str:
    """Why these can't be the indexed fields of a channel, or nothing."""
    for path in paths:
        if says := path_refusal(path):
            return says
    if len(set(paths)) < len(paths):
        return "Name each field once."
    if len(paths) > MOST_FIELDS:
        return f"A channel indexes at most {MOST_FIELDS} fields: each one makes writing slower."
    return ""


def canonical(value: JSON) -> str | None:
    """A text that is the same for equal values only; None for what no index keeps."""
    if isinstance(value, bool):
        return f"b{value}"
    if isinstance(value, str):
        return f"s{value}" if 0 < len(value) <= LONGEST_VALUE else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return f"n{value!r}" if isinstance(value, int | float) else None


def meanings(text: str) -> tuple[str, ...]:
    """The canonical forms of all values that somebody may mean by a text."""
    out = [canonical(text)]
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, bool | int | float):
        out.append(canonical(value))
    return tuple(one for one in out if one is not None)


def digest_of(form: str) -> int:
    """8 bytes that stand for a canonical form, as a signed number: databases have no other."""
    raw = hashlib.blake2b(form.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "big", signed=True)


def form_at(parts: Path, event: Mapping[str, JSON], key: str) -> str | None:
    """The canonical form of what an event has at a path, if it has anything there."""
    return canonical(key if parts == (KEY,) else get_path(dict(event), parts))


def marks_of(fields: Sequence[Indexed], event: Mapping[str, JSON], key: str) -> tuple[Mark, ...]:
    """What the index keeps of an event."""
    forms = ((field.id, form_at(field.parts, event, key)) for field in fields)
    return tuple((number, digest_of(form)) for number, form in forms if form is not None)
