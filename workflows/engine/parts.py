"""How do the parts of a split event know that they belong together?

By extension attributes: `splitid` names the split, `splitindex` (from 0) and `splittotal` the place
in it. A part that is split again keeps the marks of the outer split in `splitouter`, as JSON text.
"""

from typing import Any

import msgspec

from workflows.engine.event import Event

_MARKS = ("splitid", "splitindex", "splittotal", "splitouter")


class Mark(msgspec.Struct, frozen=True):
    """The place of a part."""

    splitid: str
    splitindex: int
    splittotal: int


def marked(event: Event, split_id: str, index: int, total: int) -> dict[str, Any]:
    """The extension attributes of a part of `event`."""
    outer = {name: event.extensions[name] for name in _MARKS if name in event.extensions}
    marks: dict[str, Any] = {"splitid": split_id, "splitindex": index, "splittotal": total}
    if "splitid" in outer:
        marks["splitouter"] = msgspec.json.encode(outer).decode()
    return {**event.extensions, **marks}


def unmarked(event: Event) -> dict[str, Any]:
    """The extension attributes of the whole that this part was split from."""
    extensions = {k: v for k, v in event.extensions.items() if k not in _MARKS}
    try:
        outer = msgspec.json.decode(str(event.extensions.get("splitouter", "{}")), type=dict)
    except msgspec.DecodeError:
        outer = {}
    return {**extensions, **{k: v for k, v in outer.items() if k in _MARKS}}


def mark_of(event: Event) -> Mark | None:
    """Its place; None for an event that isn't a part."""
    try:
        mark = msgspec.convert(event.extensions, Mark)
    except msgspec.ValidationError:
        return None
    return mark if 0 <= mark.splitindex < mark.splittotal else None
