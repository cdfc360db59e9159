"""Which fields does the form of a node type have?

They are read from the JSON schema of its `Config`: the kind from the type and the `widget` hint, or
from a name that speaks for itself (`…_seconds`, `cron`, `timezone`). What no form can show, such as
a union, is shown as JSON.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from workflows.engine.event import JSON

ONE_LINE = ("text", "number", "duration", "cron", "timezone", "channel", "connection", "choice")
ROWS = ("pairs", "texts", "objects")
_DEEPEST = 3  # groups within groups; deeper ones are shown as JSON
_SEGMENTS = 4  # so many short choices are shown side by side
_SEGMENT_LETTERS = 24
_WIDGETS = ("expression", "template", "channel", "connection")
_NAMED = {"cron": "cron", "timezone": "timezone"}
_WORDS = {
    "retry": "Retries",
    "timezone": "Time zone",
    "cron": "Cron line",
    "url": "URL",
    "id": "ID",
    "http": "HTTP",
}


class FormField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form. `kind` names its template and how its text is read."""

    name: str
    kind: str
    label: str
    help: str = ""
    required: bool = False
    default: JSON | msgspec.UnsetType = msgspec.UNSET
    example: str = ""
    choices: tuple[str, ...] = ()
    segmented: bool = False
    least: str = ""
    most: str = ""
    whole: bool = False
    longest: int | None = None
    lines: int = 1
    unit: str = ""
    variables: tuple[str, ...] = ()
    parts: tuple["FormField", ...] = ()  # of a group, or of each row

    @property
    def is_code(self) -> bool:
        return self.kind in ("expression", "template", "json", "cron")


def form_fields(schema: Mapping[str, Any]) -> tuple[FormField, ...]:
    """The fields of a JSON schema, in its order."""
    return _fields(schema, schema.get("$defs", {}), 0)


def fits(field: FormField, value: JSON) -> bool:
    """Whether the field's widget can show the value and give back the very same."""
    if field.kind == "json":
        return False
    if field.kind == "switch":
        return isinstance(value, bool)
    if field.kind in ("number", "duration"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field.kind == "group":
        return isinstance(value, dict) and value.keys() <= {part.name for part in field.parts}
    if field.kind in ROWS:
        return _fit_rows(field, value)
    if not isinstance(value, str) or "\r" in value:
        return False
    return field.kind not in ONE_LINE or "\n" not in value


def _fit_rows(field: FormField, value: JSON) -> bool:
    if field.kind == "pairs":
        key, item = field.parts
        return isinstance(value, dict) and all(
            (name or text) and fits(key, name) and fits(item, text) for name, text in value.items()
        )
    if not isinstance(value, list):
        return False
    if field.kind == "texts":
        return all(item and fits(field.parts[0], item) for item in value)
    parts = {part.name: part for part in field.parts}
    return all(
        isinstance(item, dict)
        and any(item.values())
        and all(name in parts and fits(parts[name], one) for name, one in item.items())
        for item in value
    )


def _fields(
    schema: Mapping[str, Any], defs: Mapping[str, Any], depth: int
) -> tuple[FormField, ...]:
    required = schema.get("required", ())
    return tuple(
        _field(name, prop, name in required, defs, depth)
        for name, prop in schema.get("properties", {}).items()
    )


def _field(
    name: str, given: Mapping[str, Any], required: bool, defs: Mapping[str, Any], depth: int
) -> FormField:
    prop = _resolved(given, defs)
    kind, parts = _kind(name, prop, defs, depth)
    choices = tuple(prop["enum"]) if kind == "choice" else ()
    label = _label(name, given.get("title", ""), kind)
    help_text = prop.get("description", "")
    short = len(choices) <= _SEGMENTS and sum(map(len, choices)) <= _SEGMENT_LETTERS
    return FormField(
        name=name,
        kind=kind,
        label=label,
        help="" if help_text == f"The {label.lower()}." else help_text,  # it says nothing more
        required=required,
        default=prop.get("default", msgspec.UNSET),
        example=_example(prop),
        choices=choices,
        segmented=bool(choices) and short,
        least=str(prop.get("minimum", prop.get("exclusiveMinimum", ""))),
        most=str(prop.get("maximum", prop.get("exclusiveMaximum", ""))),
        whole=prop.get("type") == "integer",
        longest=prop.get("maxLength"),
        lines=int(prop.get("lines", 1)),
        unit="s" if kind == "duration" else "",
        variables=tuple(prop.get("variables", ())),
        parts=parts,
    )


def _kind(
    name: str, prop: Mapping[str, Any], defs: Mapping[str, Any], depth: int
) -> tuple[str, tuple[FormField, ...]]:
    of, widget = prop.get("type"), prop.get("widget")
    if "enum" in prop:
        return ("choice" if all(isinstance(one, str) for one in prop["enum"]) else "json"), ()
    if of in ("object", "array"):
        return _nested(prop, defs, depth)
    if of == "boolean":
        return "switch", ()
    if of in ("integer", "number"):
        return ("duration" if name.rpartition("_")[2] == "seconds" else "number"), ()
    if of == "string":
        return (str(widget) if widget in _WIDGETS else _NAMED.get(name, "text")), ()
    return "json", ()


def _nested(
    prop: Mapping[str, Any], defs: Mapping[str, Any], depth: int
) -> tuple[str, tuple[FormField, ...]]:
    if "properties" in prop:
        return ("group", _fields(prop, defs, depth + 1)) if depth < _DEEPEST else ("json", ())
    if prop.get("type") == "object":
        item = _resolved(_mapping(prop.get("additionalProperties")), defs)
        if item.get("type") != "string":
            return "json", ()
        example = next(iter(_first_example(prop, dict)), "")
        key = FormField(name="key", kind="text", label="Name", example=str(example))
        value = _field("value", {**item, "examples": _values(prop)}, False, defs, depth)
        return "pairs", (key, value)
    item = _resolved(_mapping(prop.get("items")), defs)
    if item.get("type") == "string":
        examples = _first_example(prop, list)
        return "texts", (_field("value", {**item, "examples": examples}, False, defs, depth),)
    parts = _fields(item, defs, depth + 1) if depth < _DEEPEST else ()
    plain = parts and all(part.kind not in (*ROWS, "group", "json") for part in parts)
    return ("objects", parts) if plain else ("json", ())


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first_example(prop: Mapping[str, Any], kind: type) -> Any:
    found = next(iter(prop.get("examples", ())), None)
    return found if isinstance(found, kind) else kind()


def _values(prop: Mapping[str, Any]) -> list[Any]:
    return list(_first_example(prop, dict).values())


def _resolved(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """The property with its reference, or the one branch beside null, put in its place."""
    out = dict(prop)
    branches = [one for one in out.get("anyOf", ()) if one.get("type") != "null"]
    if len(branches) == 1:
        out = {**branches[0], **{k: v for k, v in out.items() if k != "anyOf"}}
    if "$ref" in out:
        target = defs.get(str(out.pop("$ref")).rpartition("/")[2], {})
        out = {**target, **out}
    return out


def _example(prop: Mapping[str, Any]) -> str:
    found = next(iter(prop.get("examples", ())), "")
    return found if isinstance(found, str) else ""


def _label(name: str, title: str, kind: str) -> str:
    """In sentence case. A title that pydantic made of the name says nothing more."""
    if title and title != name.replace("_", " ").title():
        return title
    words = name.split("_")
    if kind == "duration" and len(words) > 1:
        words.pop()  # the unit stands beside the field
    text = " ".join(_WORDS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]
