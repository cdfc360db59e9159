"""How does a drawn node become a node that can run, and what is wrong with it if it can't?"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from workflows.engine.fields import LENIENT
from workflows.engine.graph import NodeSpec
from workflows.engine.node import Node
from workflows.engine.problems import Problem


class Known(NamedTuple):
    """Names of the workspace that a configuration may refer to; None: not to be checked."""

    channels: Collection[str] | None = None
    connections: Collection[str] | None = None


def build_node(
    spec: NodeSpec, types: Mapping[str, type[Node]], known: Known
) -> tuple[Node | None, list[Problem]]:
    """The node, or the problems that prevent it (warnings may come with a node)."""
    node_type = types.get(spec.type)
    if node_type is None:
        says = f'There is no node type "{spec.type}" here: install it or remove the node.'
        return None, [Problem(spec.id, "type", says)]
    try:
        config = node_type.Config.model_validate(_upgraded(spec, node_type))
    except ValidationError as error:
        return None, [_problem(spec.id, item) for item in error.errors(include_url=False)]
    node = node_type(config)
    problems = [Problem(spec.id, field, says) for field, says in node.check()]
    problems += _check_names(spec.id, node, known)
    failed = any(problem.level == "error" for problem in problems)
    return (None if failed else node), problems


def build_draft_node(spec: NodeSpec, types: Mapping[str, type[Node]]) -> Node | None:
    """A node for showing only: its expressions may be unfinished. None when there is no way."""
    node_type = types.get(spec.type)
    if node_type is None:
        return None
    try:
        return node_type(
            node_type.Config.model_validate(_upgraded(spec, node_type), context=LENIENT)
        )
    except ValidationError:
        return None


def _upgraded(spec: NodeSpec, node_type: type[Node]) -> dict[str, Any]:
    if spec.version < node_type.version:
        return node_type.upgrade(spec.config, spec.version)
    return spec.config


def _problem(node_id: str, item: Any) -> Problem:
    field = ".".join(str(part) for part in item["loc"])
    kind, says = item["type"], item["msg"]
    if kind == "missing":
        says = "This field is required."
    elif kind == "extra_forbidden":
        says = "There is no such field: remove it."
    elif kind == "value_error":
        says = str(item["ctx"]["error"])
    return Problem(node_id, field, says)


def _check_names(node_id: str, node: Node, known: Known) -> list[Problem]:
    problems = []
    for name, field in type(node.config).model_fields.items():
        extra = field.json_schema_extra
        shown_as = extra.get("widget") if isinstance(extra, dict) else None
        value = getattr(node.config, name)
        if not value:
            continue
        if shown_as == "connection" and known.connections is not None:
            if value not in known.connections:
                says = f'There is no connection "{value}": make it in the settings.'
                problems.append(Problem(node_id, name, says))
        elif shown_as == "channel" and known.channels is not None and value not in known.channels:
            says = f'There is no channel "{value}" yet.'
            problems.append(Problem(node_id, name, says, "warning"))
    return problems
