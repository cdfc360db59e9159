"""How does a configuration become the texts of a form? `formread.py` has the way back.

What a field's widget can't show is edited as JSON. A form names its inputs `c.field`,
`c.group.field` and `c.rows.0.part`; those with JSON begin with `j.` instead.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import msgspec
from django.http import QueryDict

from workflows.engine.event import JSON
from workflows.web.fields import ROWS, FormField, fits
from workflows.web.jsontext import pretty

Config: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, str]
_INDEX = re.compile(r"\d{1,6}")


class Raw(NamedTuple):
    """JSON as somebody typed it."""

    text: str


Entry: TypeAlias = "str | Raw | list[Row] | dict[str, Entry]"
Typed: TypeAlias = dict[str, Entry]  # a form as it is filled in; what is missing is the default


def to_typed(fields: Iterable[FormField], config: Config) -> Typed:
    """The form of a configuration."""
    return {
        field.name: _entry(field, config[field.name]) for field in fields if field.name in config
    }


def default_entry(field: FormField) -> Entry:
    """What a field shows that nothing is said about."""
    if field.default is msgspec.UNSET or field.default is None:
        return [] if field.kind in ROWS else {} if field.kind == "group" else ""
    return _entry(field, field.default)


def from_post(fields: Iterable[FormField], post: QueryDict, above: str = "") -> Typed:
    """The form as it was sent."""
    typed: Typed = {}
    for field in fields:
        path = above + field.name
        if f"j.{path}" in post:
            typed[field.name] = Raw(_text(post[f"j.{path}"]))
        elif field.kind == "group":
            typed[field.name] = from_post(field.parts, post, f"{path}.")
        elif field.kind in ROWS:
            typed[field.name] = _rows(f"c.{path}.", post)
        elif f"c.{path}" in post:
            typed[field.name] = _text(post[f"c.{path}"])  # the last one: see switch.html
    return typed


def _text(sent: object) -> str:
    return str(sent).replace("\r\n", "\n").replace("\r", "\n")


def _entry(field: FormField, value: JSON) -> Entry:
    if not fits(field, value):
        return Raw(pretty(value))
    if field.kind == "group":
        return to_typed(field.parts, value)
    if field.kind == "pairs":
        return [{"key": key, "value": text} for key, text in value.items()]
    if field.kind == "texts":
        return [{"value": text} for text in value]
    if field.kind == "objects":
        parts = {part.name: part for part in field.parts}
        return [{name: _shown(parts[name], one) for name, one in row.items()} for row in value]
    return _shown(field, value)


def _shown(field: FormField, value: JSON) -> str:
    if field.kind == "switch":
        return "on" if value else "off"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _rows(prefix: str, post: QueryDict) -> list[Row]:
    rows: dict[int, Row] = {}
    for name in post:
        index, dot, part = name[len(prefix) :].partition(".")
        if name.startswith(prefix) and dot and _INDEX.fullmatch(index):
            rows.setdefault(int(index), {})[part] = _text(post[name])
    return [rows[index] for index in sorted(rows)]
