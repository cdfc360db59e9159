"""What do the buttons beside a form's rows do?"""

from collections.abc import Iterable

from workflows.web.fields import ROWS, FormField
from workflows.web.formdata import Row, Typed, default_entry

MOST_ROWS = 200


def act(fields: Iterable[FormField], typed: Typed, verb: str, what: str) -> str:
    """Add, remove or move a row of `typed`; the id of what gets the focus, "" for nothing.

    `what` is the path of the rows for "add", and that of one row for "remove", "up" and "down".
    """
    path, index = what, -1
    if verb in ("remove", "up", "down"):
        path, _, last = what.rpartition(".")
        index = int(last) if last.isdecimal() and len(last) < 5 else -1
    elif verb != "add":
        return ""
    field = _rows_field(fields, path.split("."))
    rows = _rows(typed, field, path.split(".")) if field else None
    if field is None or rows is None:
        return ""
    spot = f"f-{path.replace('.', '-')}"
    if verb == "add":
        return _add(rows, field, spot)
    if not 0 <= index < len(rows):
        return ""
    if verb == "remove":
        del rows[index]
        return f"{spot}-add"
    return _move(rows, index, index - 1 if verb == "up" else index + 1, verb, spot)


def _add(rows: list[Row], field: FormField, spot: str) -> str:
    if len(rows) < MOST_ROWS:
        entries = {part.name: default_entry(part) for part in field.parts}
        rows.append({name: text for name, text in entries.items() if isinstance(text, str)})
    return f"{spot}-{len(rows) - 1}-{field.parts[0].name}"


def _move(rows: list[Row], index: int, to: int, verb: str, spot: str) -> str:
    if not 0 <= to < len(rows):
        return ""
    rows[index], rows[to] = rows[to], rows[index]
    ends = {0: "down", len(rows) - 1: "up"}  # the other button can't be used there
    return f"{spot}-{to}-{ends.get(to, verb)}"


def _rows_field(fields: Iterable[FormField], path: list[str]) -> FormField | None:
    field = next((one for one in fields if one.name == path[0]), None)
    if field is None or len(path) == 1:
        return field if field is not None and field.kind in ROWS else None
    return _rows_field(field.parts, path[1:])


def _rows(typed: Typed, field: FormField, path: list[str]) -> list[Row] | None:
    entry = typed.setdefault(path[0], {} if len(path) > 1 else default_entry(field))
    if len(path) > 1:
        return _rows(entry, field, path[1:]) if isinstance(entry, dict) else None
    return entry if isinstance(entry, list) else None
