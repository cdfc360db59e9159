"""How is a flow written as a file, so that two versions differ only where they differ?

JSON with two spaces, known keys in a fixed order, the rest sorted, nodes and wires sorted, layout
apart. Whatever isn't known (node types, keys) is kept.
"""

import json
from typing import Any

from workflows.engine.event import JSON

FORMAT = "eventflow/1"
LARGEST_BYTES = 1024 * 1024
DEEPEST = 64

_DOCUMENT = ("format", "slug", "name", "description", "settings", "nodes", "wires", "layout")
_NODE = ("id", "type", "name", "version", "config")
_WIRE = ("from", "to")
_DEFAULTS: dict[str, JSON] = {
    "format": FORMAT,
    "slug": "",
    "name": "",
    "description": "",
    "settings": {},
    "nodes": [],
    "wires": [],
    "layout": {},
}
_KINDS = {"str": "a text", "list": "a list", "dict": "an object"}


class FlowFileError(ValueError):
    """The text is not a flow file; `says` why."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says


def loads(text: str) -> dict[str, Any]:
    """The normalised document. Raises FlowFileError; doesn't check whether the flow can run."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_BYTES:
        raise FlowFileError("A flow file may have 1 MiB; this one is larger.")
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FlowFileError(f"This is not JSON: {error.msg} ({place}).") from None
    except (RecursionError, ValueError):
        raise FlowFileError("This is not JSON that can be read.") from None
    if _depth(document) > DEEPEST:
        raise FlowFileError(f"This is nested deeper than {DEEPEST} levels.")
    if not isinstance(document, dict):
        raise FlowFileError("A flow file holds one JSON object.")
    if document.get("format") != FORMAT:
        raise FlowFileError(f'The format must be "{FORMAT}".')
    _check_kinds(document)
    return normalise(document)


def dumps(document: dict[str, Any]) -> str:
    """The file's text, normalised, with a line break at the end."""
    text = json.dumps(normalise(document), indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode() + "\n"


def normalise(document: dict[str, Any]) -> dict[str, Any]:
    """The same flow, keys and lists in their order and missing parts filled in."""
    document = {**_DEFAULTS, **document}
    ordered = {key: _sorted(value) for key, value in _in_order(document, _DOCUMENT).items()}
    ordered["nodes"] = _sorted_list(ordered["nodes"], _NODE, ("id",))
    ordered["wires"] = _sorted_list(ordered["wires"], _WIRE, _WIRE)
    return ordered


def diff(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """What changed from `a` to `b`, a line for each node, configuration field and wire."""
    a, b = normalise(a), normalise(b)
    lines = []
    for key in ("name", "slug", "description", "settings"):
        lines += _changes(key, a[key], b[key])
    lines += _diff_nodes(_by_id(a["nodes"]), _by_id(b["nodes"]))
    wires_a, wires_b = _wire_names(a["wires"]), _wire_names(b["wires"])
    lines += [f"- wire {wire}" for wire in wires_a if wire not in wires_b]
    lines += [f"+ wire {wire}" for wire in wires_b if wire not in wires_a]
    moved = [node for node in b["layout"] if a["layout"].get(node) != b["layout"][node]]
    moved = [node for node in moved if node in a["layout"]]
    return [*lines, f"~ moved: {', '.join(moved)}"] if moved else lines


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_kinds(document: dict[str, Any]) -> None:
    for key, default in _DEFAULTS.items():
        value = document.get(key, default)
        if type(value) is not type(default):
            raise FlowFileError(f'"{key}" must be {_KINDS[type(default).__name__]}.')
    for key in ("nodes", "wires"):
        if not all(isinstance(item, dict) for item in document.get(key, [])):
            raise FlowFileError(f'Every item of "{key}" must be an object.')


def _depth(value: JSON) -> int:
    """How deep the value is nested; stops counting a little beyond the limit."""
    layer, depth = [value], 0
    while layer and depth <= DEEPEST:
        depth += 1
        inner: list[JSON] = []
        for item in layer:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        layer = inner
    return depth


def _in_order(item: dict[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    known = {key: item[key] for key in first if key in item}
    return {**known, **{key: item[key] for key in sorted(item.keys() - known.keys())}}


def _sorted(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _sorted_list(items: JSON, first: tuple[str, ...], by: tuple[str, ...]) -> JSON:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return items
    ordered = [_in_order(item, first) for item in items]
    return sorted(ordered, key=lambda item: [str(item.get(key, "")) for key in by])


def _by_id(nodes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(node.get("id", "")): node for node in nodes}


def _wire_names(wires: list[dict[str, Any]]) -> list[str]:
    return [f"{wire.get('from', '')} → {wire.get('to', '')}" for wire in wires]


def _diff_nodes(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    lines = [f"- node {i} ({a[i].get('type', '')})" for i in a if i not in b]
    lines += [f"+ node {i} ({b[i].get('type', '')})" for i in b if i not in a]
    for node_id in a.keys() & b.keys():
        lines += _changes(node_id, a[node_id], b[node_id])
    return sorted(lines, key=lambda line: (line[2:], line[0]))


def _changes(path: str, a: JSON, b: JSON) -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        lines = []
        for key in sorted(a.keys() | b.keys()):
            lines += _changes(f"{path}.{key}", a.get(key), b.get(key))
        return lines
    if a == b and type(a) is type(b):
        return []
    return [f"~ {path}: {_shown(a)} → {_shown(b)}"]


def _shown(value: JSON) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
