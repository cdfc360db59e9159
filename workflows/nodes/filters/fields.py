"""Pick, remove and rename fields of the data.

First only the picked paths are kept (when there are any), then some are removed, then others are
moved to their new names, all at once, so that two can change places. What isn't there is passed
over. `data` stands for the data as a whole: moved to `data.order`, it is wrapped in an object.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator

from workflows.engine.event import JSON, Event
from workflows.engine.fields import DataPath
from workflows.engine.node import Context, Example, Filter, NodeConfig, Port, Result
from workflows.engine.paths import get_path
from workflows.engine.shape import MISSING, bounded, cut, put, with_data


class Fields(Filter):
    label, icon = "Fields", "list"
    outputs = (Port("out", "The event with its fields changed."),)

    class Config(NodeConfig):
        pick: list[DataPath] = Field(
            default=[],
            max_length=100,
            description="When not empty: the only paths to keep.",
            json_schema_extra={"widget": "paths"},
        )
        remove: list[DataPath] = Field(
            default=[],
            max_length=100,
            description="Paths to remove.",
            json_schema_extra={"widget": "paths"},
        )
        rename: dict[DataPath, DataPath] = Field(
            default={},
            max_length=100,
            description="Path → its new path.",
            json_schema_extra={"widget": "keyvalue"},
            examples=[{"data.cust_no": "data.customer.number"}],
        )

        @field_validator("rename")
        @classmethod
        def _targets_differ(cls, rename: dict[str, str]) -> dict[str, str]:
            for path in rename.values():
                if list(rename.values()).count(path) > 1:
                    raise ValueError(f'Two fields can\'t both become "{path}".')
            return rename

    config: Config
    examples = (
        Example(
            title="Names that the receiver knows",
            config={"rename": {"data.cust_no": "data.customer.number"}},
            given=[{"cust_no": 7, "sum": 5}, {"sum": 6}],
            expect={"out": [{"sum": 5, "customer": {"number": 7}}, {"sum": 6}]},
        ),
        Example(
            title="Only what is needed",
            config={"pick": ["data.id", "data.sum"]},
            given=[{"id": 1, "sum": 5, "card": "4711"}],
            expect={"out": [{"id": 1, "sum": 5}]},
        ),
        Example(
            title="Wrap the data",
            config={"rename": {"data": "data.order"}, "remove": ["data.card"]},
            given=[{"id": 1, "card": "4711"}],
            expect={"out": [{"order": {"id": 1}}]},
        ),
    )

    def summary(self) -> str:
        parts = [
            f"{verb} {', '.join(path.removeprefix('data.') for path in paths)}"
            for verb, paths in (("pick", self.config.pick), ("remove", self.config.remove))
            if paths
        ]
        parts += [
            f"{old.removeprefix('data.')} → {new.removeprefix('data.')}"
            for old, new in self.config.rename.items()
        ]
        return "; ".join(parts)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        data = event.data
        if self.config.pick:
            data = {}
            for path, value in _found(event.data, self.config.pick):
                data = put(data, path, value)
        for path in self.config.remove:
            data = cut(data, path)
        moving = _found(data, self.config.rename)
        for path, _ in moving:
            data = cut(data, path)
        for path, value in moving:
            data = put(data, self.config.rename[path], value)
        wrapped = "data" in self.config.rename
        yield "out", with_data(event, bounded(data) if wrapped else data)


def _found(data: JSON, paths: Any) -> list[tuple[str, JSON]]:
    """The paths that lead to something, each with what is there."""
    values = ((path, get_path(data, tuple(path.split(".")[1:]), MISSING)) for path in paths)
    return [(path, value) for path, value in values if value is not MISSING]
