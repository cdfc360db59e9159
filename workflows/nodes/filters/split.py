"""Make one event of each item of a list.

Each new event has the item as its data, its own id made of the old one, and the extension
attributes `splitid` (the same for all of them), `splitindex` (from 0) and `splittotal`, by which a
gather brings them together again. An empty list ends the event.
"""

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from workflows.engine.event import Event
from workflows.engine.expression import Expression, compile_expression
from workflows.engine.fields import ExpressionText
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Filtered,
    NodeConfig,
    NodeError,
    Port,
    Result,
)
from workflows.engine.parts import marked


class Split(Filter):
    label, icon = "Split", "list-tree"
    outputs = (Port("out", "One event for each item."),)

    class Config(NodeConfig):
        items: ExpressionText = Field(
            default="event.data",
            description="A CEL expression that gives a list of at most 1,000 items.",
            examples=["event.data.items"],
        )

    config: Config
    examples = (
        Example(
            title="The items of an order",
            config={"items": "event.data.items"},
            given=[{"items": [{"sku": "a"}, {"sku": "b"}]}, {"items": []}],
            expect={"out": [{"sku": "a"}, {"sku": "b"}], "filtered": [{"items": []}]},
        ),
        Example(
            title="Each item with a part of the whole",
            config={"items": 'event.data.items.map(i, {"order": event.data.id, "item": i})'},
            given=[{"id": 7, "items": ["x", "y"]}],
            expect={"out": [{"order": 7, "item": "x"}, {"order": 7, "item": "y"}]},
        ),
        Example(
            title="What isn't a list can't be split",
            config={"items": "event.data.items"},
            given=[{"items": "a,b"}],
            expect={"error": [{"items": "a,b"}]},
        ),
    )

    @cached_property
    def _items(self) -> Expression:
        return compile_expression(self.config.items)

    def summary(self) -> str:
        return self.config.items.replace("event.data.", "")

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        items = self._items.evaluate(ctx.variables(event))
        if not isinstance(items, list):
            raise NodeError("not-a-list", f"{self.config.items} does not give a list.")
        if not items:
            yield Filtered("The list is empty.")
        for index, item in enumerate(items):
            yield (
                "out",
                event.replace(
                    id=f"{event.id}/{ctx.node_id}/{index}",
                    data=item,
                    data_base64=None,
                    extensions=marked(event, ctx.key, index, len(items)),
                ),
            )
