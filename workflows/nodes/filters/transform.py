"""Change what is in an event: keep, remove and set parts of it.

First only the paths in `only` are kept (when there are any), then those in `remove` are removed,
then each path in `set` gets the value of its CEL expression. Every expression sees the event as it
came. Paths begin with `data`, as in `data.customer.name`; `type`, `subject`, `dataschema` and
`partitionkey` can be set, and `subject` removed, too. Objects on the way to a path are made where
they are missing; an item of a list is named by its number.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from workflows.engine.event import JSON, Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import ExpressionText
from workflows.engine.node import Context, Example, Filter, NodeConfig, NodeError, Port, Result
from workflows.engine.paths import PathError, get_path, set_path, without_path

_ATTRIBUTES = ("type", "subject", "dataschema", "partitionkey")
_MISSING = object()


def _check_path(path: str) -> str:
    if path in _ATTRIBUTES:
        return path
    parts = path.split(".")
    if parts[0] != "data" or not all(parts) or len(parts) > 16:
        raise ValueError(f'"{path}" must be a path like data.amount, or one of type, subject.')
    return path


def _check_removable(path: str) -> str:
    if path in _ATTRIBUTES and path != "subject":
        raise ValueError(f'"{path}" can\'t be removed; paths like data.amount and subject can.')
    return _check_path(path)


def _check_data_path(path: str) -> str:
    if path in _ATTRIBUTES:
        raise ValueError(f'"{path}" is always kept; name paths like data.amount.')
    return _check_path(path)


class Transform(Filter):
    label, icon = "Transform", "wand-sparkles"
    outputs = (Port("out", "The changed event."),)

    class Config(NodeConfig):
        set: dict[Annotated[str, AfterValidator(_check_path)], ExpressionText] = Field(
            default={},
            max_length=100,
            description="Path → CEL expression: what to set.",
            json_schema_extra={"widget": "keyvalue", "value": "expression"},
            examples=[{"data.total": "event.data.amount * 1.2"}],
        )
        remove: list[Annotated[str, AfterValidator(_check_removable)]] = Field(
            default=[],
            max_length=100,
            description="Paths to remove.",
            json_schema_extra={"widget": "paths"},
        )
        only: list[Annotated[str, AfterValidator(_check_data_path)]] = Field(
            default=[],
            max_length=100,
            description="When not empty: the only paths of the data to keep.",
            json_schema_extra={"widget": "paths"},
        )

    config: Config
    examples = (
        Example(
            title="Add VAT",
            config={"set": {"data.total": "event.data.amount * 1.5"}},
            given=[{"amount": 100}],
            expect={"out": [{"amount": 100, "total": 150.0}]},
        ),
        Example(
            title="Keep what the receiver needs",
            config={
                "only": ["data.id", "data.customer.name"],
                "set": {"data.who": "event.data.customer.name.upperAscii()"},
                "remove": ["data.customer"],
            },
            given=[{"id": 7, "customer": {"name": "Ada", "card": "4711"}, "notes": []}],
            expect={"out": [{"id": 7, "who": "ADA"}]},
        ),
        Example(
            title="A value can't be set inside a number",
            config={"set": {"data.amount.net": "1"}},
            given=[{"amount": 5}],
            expect={"error": [{"amount": 5}]},
        ),
    )

    @cached_property
    def _set(self) -> list[tuple[tuple[str, ...], Expression]]:
        # Sorted, so that a path is set before what lies inside it.
        return [
            (tuple(path.split(".")), compile_expression(source))
            for path, source in sorted(self.config.set.items())
        ]

    @cached_property
    def _remove(self) -> list[tuple[str, ...]]:
        return [tuple(path.split(".")) for path in self.config.remove]

    @cached_property
    def _only(self) -> list[tuple[str, ...]]:
        return [tuple(path.split(".")) for path in self.config.only]

    def summary(self) -> str:
        parts = []
        for verb, paths in (
            ("keep", self.config.only),
            ("remove", self.config.remove),
            ("set", list(self.config.set)),
        ):
            if paths:
                parts.append(f"{verb} {', '.join(path.removeprefix('data.') for path in paths)}")
        return "; ".join(parts)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        changes: dict[str, Any] = {}
        before = data = event.data
        if self._only:
            data = _pick(data, self._only)
        for path in self._remove:
            if path[0] == "data":
                data = None if len(path) == 1 else without_path(data, path[1:])
            else:
                changes[path[0]] = None
        if self._set:
            variables = ctx.variables(event)
            for path, expression in self._set:
                value = expression.evaluate(variables)
                if path[0] == "data":
                    data = _put(data, path, value)
                else:
                    changes[path[0]] = _as_attribute(path[0], value)
        if data is not before:
            changes["data"] = data
            changes["data_base64"] = None
        yield "out", event.replace(**changes) if changes else event


def _pick(data: JSON, paths: list[tuple[str, ...]]) -> JSON:
    picked: JSON = {}
    for path in paths:
        if len(path) == 1:
            return data
        value = get_path(data, path[1:], _MISSING)
        if value is not _MISSING:
            picked = _put(picked, path, value)
    return picked


def _put(data: JSON, path: tuple[str, ...], value: JSON) -> JSON:
    try:
        return set_path(data, path[1:], value)
    except PathError as error:
        raise NodeError("path", f"{'.'.join(path)} can't be set: {error}") from None


def _as_attribute(name: str, value: JSON) -> str:
    if not isinstance(value, str) or not value:
        raise NodeError("attribute", f"The {name} of an event must be a text that isn't empty.")
    return value
