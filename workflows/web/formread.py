"""How do the texts of a form become a configuration again?

Nothing is lost on the way: what was given stays given although it equals the default (but in rows,
where it goes without saying), and what isn't a field stays.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from workflows.engine.event import JSON
from workflows.engine.problems import Problem
from workflows.web.fields import FormField
from workflows.web.formdata import Config, Entry, Raw, Row, Typed, default_entry
from workflows.web.jsontext import NotJson, parse

_WHOLE = re.compile(r"-?\d{1,15}")


class Built(msgspec.Struct, frozen=True):
    """A configuration made of a form."""

    config: Config
    mistakes: list[Problem]  # what could not be read
    places: dict[str, str]  # path in the configuration → id of its field in the form


def to_config(fields: Sequence[FormField], typed: Typed, was: Config) -> Built:
    """The configuration of a form. `was` is the one it was made from: its keys stay."""
    built = Built({}, [], {})
    config = _read(fields, typed, was, "", "f", built)
    known = {field.name for field in fields}
    config |= {name: value for name, value in was.items() if name not in known}
    ordered = {name: config[name] for name in was if name in config}
    built.config.update(ordered | config)
    return built


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
