"""Draw the items of a list within an event together.

For each value that is asked for, the expression is worked out for every `item`, and the results are
counted, added up and so on. With `group_by`, this is done for each group by itself, and the result
is a list with the `key` of each group, in the order in which they first occur.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from workflows.engine.aggregates import Function, add, check_names, left_out, result
from workflows.engine.event import JSON, Event
from workflows.engine.expression import Env, Expression, compile_expression
from workflows.engine.fields import DataPath, ExpressionText, is_lenient, widget
from workflows.engine.keys import value_key
from workflows.engine.node import Context, Example, Filter, NodeConfig, NodeError, Port, Result
from workflows.engine.shape import put, with_data

_MOST_ITEMS = 10_000
_MOST_GROUPS = 1_000


@lru_cache(maxsize=1)
def _env() -> Env:
    return Env({"item": "any"})


def _check(source: str, info: ValidationInfo) -> str:
    if source and not is_lenient(info):
        _env().compile(source)
    return source


ItemText = Annotated[
    str, AfterValidator(_check), widget("expression", want="any", variables=["item"])
]


class ItemValue(NodeConfig):
    """One value drawn from all items."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,31}$",
        description="The name in the result: small letters, digits and _.",
    )
    function: Function = Field(description="What to draw from the items.")
    value: ItemText = Field(
        default="item",
        min_length=1,
        description="A CEL expression over item; count counts what is neither null nor false.",
        examples=["item.price * item.quantity"],
    )


class Aggregate(Filter):
    label, icon = "Aggregate", "sigma"
    outputs = (Port("out", "The event with the result."),)

    class Config(NodeConfig):
        items: ExpressionText = Field(
            default="event.data",
            description="A CEL expression that gives a list of at most 10,000 items.",
            examples=["event.data.items"],
        )
        group_by: ItemText = Field(
            default="",
            description="A CEL expression over item; empty: all items together.",
            examples=["item.category"],
        )
        values: list[ItemValue] = Field(
            min_length=1, max_length=20, description="What to draw from the items."
        )
        path: DataPath = Field(default="data.result", description="Where to put the result.")

        @field_validator("values")
        @classmethod
        def _names_differ(cls, values: list[ItemValue]) -> list[ItemValue]:
            check_names([value.name for value in values], taken=("key",))
            return values

    config: Config
    examples = (
        Example(
            title="The sum of an order",
            config={
                "items": "event.data.items",
                "values": [{"name": "sum", "function": "sum", "value": "item.price * item.n"}],
                "path": "data.total",
            },
            given=[{"items": [{"price": 2.5, "n": 2}, {"price": 1, "n": 3}]}],
            expect={
                "out": [
                    {"items": [{"price": 2.5, "n": 2}, {"price": 1, "n": 3}], "total": {"sum": 8.0}}
                ]
            },
        ),
        Example(
            title="By country",
            config={
                "group_by": "item.country",
                "values": [
                    {"name": "n", "function": "count"},
                    {"name": "most", "function": "max", "value": "item.sum"},
                ],
                "path": "data",
            },
            given=[
                [
                    {"country": "CH", "sum": 5},
                    {"country": "DE", "sum": 7},
                    {"country": "CH", "sum": 9},
                ]
            ],
            expect={"out": [[{"key": "CH", "n": 2, "most": 9}, {"key": "DE", "n": 1, "most": 7}]]},
        ),
    )

    @cached_property
    def _items(self) -> Expression:
        return compile_expression(self.config.items)

    @cached_property
    def _values(self) -> list[Expression]:
        return [_env().compile(value.value) for value in self.config.values]

    @cached_property
    def _group_by(self) -> Expression | None:
        return _env().compile(self.config.group_by) if self.config.group_by else None

    def summary(self) -> str:
        asked = ", ".join(f"{v.function} {v.name}" for v in self.config.values)
        return f"{asked} by {self.config.group_by}" if self.config.group_by else asked

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        items = self._items.evaluate(ctx.variables(event))
        if not isinstance(items, list):
            raise NodeError("not-a-list", f"{self.config.items} does not give a list.")
        if len(items) > _MOST_ITEMS:
            raise NodeError("limit", f"The list has more than {_MOST_ITEMS:,} items.")
        drawn = self._draw(items)
        yield "out", with_data(event, put(event.data, self.config.path, drawn))

    def _draw(self, items: list[JSON]) -> JSON:
        groups: dict[str, tuple[JSON, list[JSON]]] = {}
        if self._group_by is None:
            groups[""] = (None, [None] * len(self._values))
        for item in items:
            bound = _env().bind({"item": item})
            key = self._group_by.evaluate(bound) if self._group_by else None
            name = value_key(key) if self._group_by else ""
            _, partials = groups.setdefault(name, (key, [None] * len(self._values)))
            if len(groups) > _MOST_GROUPS:
                raise NodeError("limit", f"There are more than {_MOST_GROUPS:,} groups.")
            for n, (asked, value) in enumerate(zip(self.config.values, self._values, strict=True)):
                partials[n] = add(asked.function, partials[n], value.evaluate(bound))
        if self._group_by is None:
            return self._results(groups[""][1])
        return [{"key": key, **self._results(partials)} for key, partials in groups.values()]

    def _results(self, partials: list[JSON]) -> dict[str, Any]:
        for asked, partial in zip(self.config.values, partials, strict=True):
            if left_out(partial):
                raise NodeError("limit", f"The list {asked.name} would be too long.")
        return {
            asked.name: result(asked.function, partial)
            for asked, partial in zip(self.config.values, partials, strict=True)
        }
