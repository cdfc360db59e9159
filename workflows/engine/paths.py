"""How are parts of a JSON value read and replaced by path, without changing the value?"""

from typing import Any

from workflows.engine.event import JSON

Path = tuple[str, ...]


class PathError(Exception):
    """There is no way along this path; the text says what is in the way."""


def get_path(value: JSON, path: Path, missing: Any = None) -> Any:
    """What is at `path`, else `missing`. An item of a list is named by its number."""
    for key in path:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and (index := _index(key, value)) is not None:
            value = value[index]
        else:
            return missing
    return value


def set_path(value: JSON, path: Path, new: JSON) -> JSON:
    """A copy with `new` at `path`; only what lies on the path is copied. Raises PathError."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        index = _index(key, value)
        if index is None:
            raise PathError(f'a list of {len(value)} has no item "{key}"')
        return [*value[:index], set_path(value[index], rest, new), *value[index + 1 :]]
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise PathError(f'"{key}" would be inside {_short(value)}, which is not an object')
    copy = dict(value)
    copy[key] = set_path(copy.get(key), rest, new)
    return copy


def without_path(value: JSON, path: Path) -> JSON:
    """A copy without what is at `path`; the value itself when there is nothing."""
    key, rest = path[0], path[1:]
    if isinstance(value, dict) and key in value:
        if not rest:
            return {name: item for name, item in value.items() if name != key}
        inner = without_path(value[key], rest)
        return value if inner is value[key] else {**value, key: inner}
    if isinstance(value, list) and (index := _index(key, value)) is not None:
        if not rest:
            return [*value[:index], *value[index + 1 :]]
        inner = without_path(value[index], rest)
        same = inner is value[index]
        return value if same else [*value[:index], inner, *value[index + 1 :]]
    return value


def _index(key: str, items: list[Any]) -> int | None:
    if key.isascii() and key.isdigit() and int(key) < len(items):
        return int(key)
    return None


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
