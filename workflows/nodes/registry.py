"""Which node types are there?

One for each file in producers/, filters/ and consumers/, and those of installed packages
(entry-point group `eventflow.nodes`).
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

import msgspec
from pydantic_core import to_jsonable_python

from workflows.engine.node import Consumer, Filter, Node, Producer

ENTRY_POINTS = "eventflow.nodes"
_ROOMS: dict[str, type[Node]] = {"producers": Producer, "filters": Filter, "consumers": Consumer}


class RegistryError(Exception):
    """A node type can't be registered; the text says which and why."""


@lru_cache(maxsize=1)
def node_types() -> Mapping[str, type[Node]]:
    """All node types by type id. Sets each class's `type_id`. Raises RegistryError."""
    found: dict[str, type[Node]] = {}
    for name, node_type in [*_own(), *_installed()]:
        type_id = f"{node_type.role}.{name}"
        if type_id in found:
            raise RegistryError(f"Two node types call themselves {type_id}.")
        node_type.type_id = type_id
        found[type_id] = node_type
    return MappingProxyType(dict(sorted(found.items())))


@lru_cache(maxsize=1)
def catalog() -> list[dict[str, Any]]:
    """All node types as JSON: for the palette, the forms, the API and the help pages."""
    return [_entry(node_type) for node_type in node_types().values()]


def _own() -> Iterator[tuple[str, type[Node]]]:
    for room, base in _ROOMS.items():
        package = importlib.import_module(f"workflows.nodes.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            yield module.name, _only_node(f"{package.__name__}.{module.name}", base)


def _only_node(module_name: str, base: type[Node]) -> type[Node]:
    module = importlib.import_module(module_name)
    classes = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module_name and issubclass(member, base)
    ]
    if len(classes) != 1:
        raise RegistryError(f"{module_name} must define one {base.__name__}, not {len(classes)}.")
    return classes[0]


def _installed() -> Iterator[tuple[str, type[Node]]]:
    for point in entry_points(group=ENTRY_POINTS):
        node_type = point.load()
        if not (inspect.isclass(node_type) and issubclass(node_type, Node)):
            raise RegistryError(f"{point.value} is not a producer, filter or consumer.")
        yield point.name, node_type


def _entry(node_type: type[Node]) -> dict[str, Any]:
    text = inspect.cleandoc(inspect.getmodule(node_type).__doc__ or "")
    return {
        "type": node_type.type_id,
        "role": node_type.role,
        "label": node_type.label,
        "icon": node_type.icon,
        "summary": text.partition("\n\n")[0].replace("\n", " "),
        "help": text,
        "version": node_type.version,
        "has_input": node_type.has_input,
        "holds": node_type.holds,
        "outputs": [port._asdict() for port in node_type.outputs],
        "can_fail": node_type.can_fail,
        "defaults": {
            name: to_jsonable_python(field.get_default(call_default_factory=True))
            for name, field in node_type.Config.model_fields.items()
            if not field.is_required()
        },
        "schema": node_type.Config.model_json_schema(),
        "examples": [msgspec.to_builtins(example) for example in node_type.examples],
    }
