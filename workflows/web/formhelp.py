"""What helps somebody who fills in a node's form: what it does, examples, and usable fields."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from workflows.engine.event import JSON
from workflows.engine.node import Example
from workflows.models import Flow
from workflows.storage import channels
from workflows.web import eventrows
from workflows.web.jsontext import pretty
from workflows.web.jsonview import short

_CHANNELS = 3  # of a flow, whose newest events are looked at
_MOST = 40
_DEEPEST = 4
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ATTRIBUTES = ("id", "type", "source", "subject", "time")


class Run(NamedTuple):
    """A piece of a text, which may be code."""

    text: str
    is_code: bool


class Outcome(NamedTuple):
    """What comes out of a worked example at one port."""

    port: str
    texts: list[str]


class Usable(NamedTuple):
    """An expression that has a value, and the value in the newest event."""

    path: str
    value: str


class Lesson(NamedTuple):
    """A worked example as people read it."""

    number: int
    title: str
    text: str  # its configuration, "" when there is nothing in it
    given: list[str]
    outcomes: list[Outcome]


def paragraphs(text: str) -> list[list[Run]]:
    """The paragraphs of a docstring after its first one, the code in them marked."""
    rest = text.split("\n\n")[1:]
    return [
        [Run(piece, bool(index % 2)) for index, piece in enumerate(_joined(part).split("`"))]
        for part in rest
    ]


def lessons(examples: Sequence[Example]) -> list[Lesson]:
    """The worked examples of a node type."""
    return [
        Lesson(
            number,
            example.title,
            pretty(example.config) if example.config else "",
            [short(one, 200) for one in example.given],
            [Outcome(port, [short(o, 200) for o in out]) for port, out in example.expect.items()],
        )
        for number, example in enumerate(examples)
    ]


def usable(flow: Flow) -> list[Usable]:
    """What expressions can refer to, from the newest event that the flow got; never nothing."""
    event = _newest(flow)
    if event is None:
        return [Usable(f"event.{name}", "") for name in (*_ATTRIBUTES, "data")]
    found = [
        Usable(f"event.{name}", short(event[name], 60)) for name in _ATTRIBUTES if name in event
    ]
    return [*found, *_leaves("event.data", event.get("data"), 0)][:_MOST]


def _newest(flow: Flow) -> dict[str, Any] | None:
    newest = (eventrows.newest(channel) for channel in channels.used_by(flow.pk, _CHANNELS))
    return next((event for event in newest if event is not None), None)


def _leaves(path: str, value: JSON, depth: int) -> Iterator[Usable]:
    if isinstance(value, dict) and value and depth < _DEEPEST:
        for name, one in value.items():
            step = f".{name}" if _NAME.fullmatch(name) else f"[{short_text(name)}]"
            yield from _leaves(path + step, one, depth + 1)
    elif isinstance(value, list) and value and depth < _DEEPEST:
        yield from _leaves(f"{path}[0]", value[0], depth + 1)
    else:
        yield Usable(path, short(value, 60))


def short_text(name: str) -> str:
    """A name as a text in an expression."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _joined(text: str) -> str:
    return " ".join(text.split())
