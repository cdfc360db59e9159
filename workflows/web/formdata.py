"""How does a configuration become the texts of a form, and how do these become one again?

Neither way loses anything: what was given stays given although it equals the default (but in rows,
where it goes without saying), what isn't a field stays, and what a field's widget can't show is
edited as JSON. A form names its inputs `c.field`, `c.group.field` and `c.rows.0.part`; those with
JSON begin with `j.` instead.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import orjson
from django.http import QueryDict

from workflows.engine.event import JSON
from workflows.engine.problems import Problem
from workflows.web.fields import ROWS, FormField, fits

Config: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, str]
DEEPEST = 64  # levels of JSON, as at the doors
_WHOLE = re.compile(r"-?\d{1,15}")
_INDEX = re.compile(r"\d{1,6}")


class Raw(NamedTuple):
    """JSON as somebody typed it."""

    text: str


Entry: TypeAlias = "str | Raw | list[Row] | dict[str, Entry]"
Typed: TypeAlias = dict[str, Entry]  # a form as it is filled in; what is missing is the default


class Built(msgspec.Struct, frozen=True):
    """A configuration made of a form."""

    config: Config
    mistakes: list[Problem]  # what could not be read
    places: dict[str, str]  # path in the configuration → id of its field in the form


class NotJson(Exception):
    """A text is no JSON; it says why."""


def parse(text: str | bytes) -> JSON:
    """The JSON value. Raises NotJson for what is none, or is nested too deeply."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})" if error.pos else ""
        raise NotJson(f"This is not valid JSON{where}: {error.msg}.") from None
    level = [value]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _inside(one)]
        if not level:
            return value
    raise NotJson(f"This is nested deeper than {DEEPEST} levels.")


def pretty(value: JSON) -> str:
    """JSON as people edit it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


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


def to_config(fields: Sequence[FormField], typed: Typed, was: Config) -> Built:
    """The configuration of a form. `was` is the one it was made from: its keys stay."""
    built = Built({}, [], {})
    config = _read(fields, typed, was, "", "f", built)
    known = {field.name for field in fields}
    config |= {name: value for name, value in was.items() if name not in known}
    ordered = {name: config[name] for name in was if name in config}
    built.config.update(ordered | config)
    return built


def _inside(value: JSON) -> list[JSON]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


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


def _read(
    fields: Iterable[FormField], typed: Typed, was: Config, path: str, place: str, built: Built
) -> Config:
    config: Config = {}
    for field in fields:
        here = f"{path}.{field.name}" if path else field.name
        spot = f"{place}-{field.name}"
        built.places[here] = spot
        if field.name not in typed:
            continue
        before = was.get(field.name, msgspec.UNSET)
        value = _value(field, typed[field.name], before, here, spot, built)
        if value is msgspec.UNSET:
            continue
        if before is not msgspec.UNSET or not _goes_without_saying(field, value):
            config[field.name] = value
    return config


def _goes_without_saying(field: FormField, value: JSON) -> bool:
    if field.default is msgspec.UNSET:
        return value in ("", [], {})
    if field.kind == "group" and isinstance(value, dict) and isinstance(field.default, dict):
        of_parts = {part.name: part.default for part in field.parts}
        return bool({**of_parts, **value} == {**of_parts, **field.default})
    return bool(value == field.default)


def _value(field: FormField, entry: Entry, was: Any, path: str, spot: str, built: Built) -> Any:
    if isinstance(entry, Raw):
        return _raw(entry, was, path, built)
    if isinstance(entry, dict):
        # Where nothing was said, the field's own default counts, not that of its parts.
        before = was if isinstance(was, dict) else field.default
        before = before if isinstance(before, dict) else {}
        return _read(field.parts, entry, before, path, spot, built)
    if isinstance(entry, list):
        return _read_rows(field, entry, path, spot, built)
    return _scalar(field, entry)


def _raw(entry: Raw, was: Any, path: str, built: Built) -> Any:
    if not entry.text.strip():
        return msgspec.UNSET
    try:
        return parse(entry.text)
    except NotJson as error:
        built.mistakes.append(Problem("", path, str(error)))
        return was


def _scalar(field: FormField, text: str) -> Any:
    if field.kind == "switch":
        return text == "on"
    if field.kind not in ("number", "duration"):
        return text
    text = text.strip()
    if not text:
        return msgspec.UNSET
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text  # kept, and refused by the schema
    return number if abs(number) < float("inf") else text


def _read_rows(
    field: FormField, rows: Sequence[Row], path: str, spot: str, built: Built
) -> dict[str, Any] | list[Any]:
    """Rows in which nothing is filled in don't count."""
    filled = [(index, row) for index, row in enumerate(rows) if _is_filled(field, row)]
    if field.kind == "pairs":
        return _read_pairs(filled, path, spot, built)
    items: list[Any] = []
    for index, row in filled:
        here = f"{path}.{len(items)}"
        if field.kind == "texts":
            items.append(row.get("value", ""))
            built.places[here] = f"{spot}-{index}-value"
        else:
            entries: Typed = {**row}
            items.append(_read(field.parts, entries, {}, here, f"{spot}-{index}", built))
    return items


def _read_pairs(
    rows: Iterable[tuple[int, Row]], path: str, spot: str, built: Built
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for index, row in rows:
        key = row.get("key", "")
        if key in pairs:
            says = f'"{key}" is there twice: the last one counts. Remove one of them.'
            built.mistakes.append(Problem("", f"{path}.{key}.[key]", says))
        pairs[key] = row.get("value", "")
        built.places[f"{path}.{key}"] = f"{spot}-{index}-value"
        built.places[f"{path}.{key}.[key]"] = f"{spot}-{index}-key"
    return pairs


def _is_filled(field: FormField, row: Mapping[str, str]) -> bool:
    empty: dict[str, Entry] = {part.name: default_entry(part) for part in field.parts}
    return any(text not in ("", empty.get(name)) for name, text in row.items())
