"""What is wrong with a configuration, in words that say how to mend it?"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from workflows.engine.build import Known, build_node
from workflows.engine.graph import NodeSpec
from workflows.engine.node import Node
from workflows.engine.problems import Problem

_SAYS = {
    "missing": "Fill this in: it is required.",
    "extra_forbidden": "This node type has no such field: remove it.",
    "string_too_short": "Fill this in: it is required.",
    "string_too_long": "Shorten this to {max_length:,} characters or less.",
    "string_type": "Give a text.",
    "too_short": "Add at least {min_length}.",
    "too_long": "Leave at most {max_length}.",
    "greater_than": "Give a number above {gt:g}.",
    "greater_than_equal": "Give a number from {ge:g} upwards.",
    "less_than": "Give a number below {lt:g}.",
    "less_than_equal": "Give a number up to {le:g}.",
    "literal_error": "Choose one of these: {expected}.",
    "value_error": "{error}",
}
_NUMBERS = ("int_parsing", "int_type", "int_from_float", "float_parsing", "float_type")
_PATTERNS = {  # how a pattern begins → what it asks for
    "^[a-z0-9]([a-z0-9-]": "Use small letters, digits and “-”; begin and end with a letter or"
    " digit.",
    "^([a-z0-9]([a-z0-9_-]": "Use small letters, digits, “-” and “_”; begin and end with a letter"
    " or digit.",
    "^[a-z][a-z0-9_-]": "Use small letters, digits, “-” and “_”; begin with a letter.",
    "^[A-Za-z0-9-]": "Use letters, digits and “-” only.",
}
_NOT_SO = "This has characters, or an order of them, that are not allowed here."


def find_problems(
    node_type: type[Node], node_id: str, config: Mapping[str, Any], known: Known
) -> tuple[Node | None, list[Problem]]:
    """The node that the configuration makes, if it does, and what is to be mended."""
    try:
        node_type.Config.model_validate(config)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return None, [_problem(node_id, item) for item in found]
    spec = NodeSpec(node_id, node_type.type_id, "", dict(config), node_type.version)
    return build_node(spec, {node_type.type_id: node_type}, known)


def at_fields(
    problems: Iterable[Problem], places: Mapping[str, str]
) -> tuple[dict[str, list[Problem]], list[Problem]]:
    """Problems by the id of the field that each is about, and those about none."""
    placed: dict[str, list[Problem]] = {}
    others = []
    for problem in problems:
        path = problem.field
        while path and path not in places:
            path = path.rpartition(".")[0]
        if path:
            placed.setdefault(places[path], []).append(problem)
        else:
            others.append(problem)
    return placed, others


def _problem(node_id: str, item: Any) -> Problem:
    path = ".".join(str(part) for part in item["loc"])
    return Problem(node_id, path, _words(item["type"], item.get("ctx", {}), item["msg"]))


def _words(kind: str, ctx: Mapping[str, Any], otherwise: str) -> str:
    if kind in _NUMBERS:
        return "Give a whole number." if kind.startswith("int") else "Give a number."
    if kind == "string_pattern_mismatch":
        pattern = str(ctx.get("pattern", ""))
        return next(
            (says for begin, says in _PATTERNS.items() if pattern.startswith(begin)), _NOT_SO
        )
    if kind in _SAYS:
        return _SAYS[kind].format(**ctx)
    return f"{otherwise}."
