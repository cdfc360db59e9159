"""How is a part of an event's data read, replaced and removed by path?

Paths begin with `data`, as in `data.customer.name`; an item of a list is named by its number.
"""

from typing import Any

from workflows.engine.event import JSON, Event
from workflows.engine.node import NodeError
from workflows.engine.paths import PathError, get_path, set_path, without_path
from workflows.engine.plain import NotPlain, to_json

MISSING: Any = object()


def get_data(event: Event, path: str) -> Any:
    """What is at `path`, else MISSING."""
    return get_path(event.data, tuple(path.split(".")[1:]), MISSING)


def put(data: JSON, path: str, value: JSON) -> JSON:
    """A copy of `data` with `value` at `path`. Raises NodeError where nothing can be put."""
    try:
        return set_path(data, tuple(path.split(".")[1:]), value)
    except PathError as error:
        raise NodeError("path", f"{path} can't be set: {error}") from None


def cut(data: JSON, path: str) -> JSON:
    """A copy of `data` without what is at `path`."""
    inner = tuple(path.split(".")[1:])
    return without_path(data, inner) if inner else None


def bounded(data: JSON) -> JSON:
    """The data, when an event can hold it. Raises NodeError where it is too deep or too large: a
    flow with a loop could make it grow for ever."""
    try:
        return to_json(data)
    except NotPlain as error:
        raise NodeError("limit", f"The data {error}.") from None


def with_data(event: Event, data: JSON) -> Event:
    """The event with other data; the same event when it is the same data."""
    return event if data is event.data else event.replace(data=data, data_base64=None)
