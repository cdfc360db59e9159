"""Check events against a JSON Schema.

What keeps to the schema leaves by `valid`. What doesn't leaves by `invalid`, with each problem's
place and words in the step; they can be put into the event as well, as a list of `path` and
`message`. The draft is told by the schema's `$schema`, else it is 2020-12. A `$ref` may only lead
to places within the schema.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import Annotated, Any

import jsonschema_rs
import msgspec
from pydantic import AfterValidator, Field, ValidationInfo

from workflows.engine.event import JSON, Event
from workflows.engine.fields import DataPath, OptionalDataPath, is_lenient
from workflows.engine.node import Context, Example, Filter, Filtered, NodeConfig, Port, Result, Why
from workflows.engine.shape import MISSING, get_data, put, with_data

_MOST_BYTES = 100_000  # of a schema
_MOST_ERRORS = 20
_LONGEST_MESSAGE = 300


@lru_cache(maxsize=256)
def _compile(schema: bytes) -> Any:
    # Patterns without look-around are matched in linear time, whatever an event holds.
    options = jsonschema_rs.RegexOptions()
    parsed = msgspec.json.decode(schema)
    return jsonschema_rs.validator_for(
        parsed, validate_formats=True, pattern_options=options, offline=True
    )


def _check_schema(schema: JSON, info: ValidationInfo) -> JSON:
    encoded = msgspec.json.encode(schema)
    if len(encoded) > _MOST_BYTES:
        raise ValueError(f"A schema may have {_MOST_BYTES:,} bytes.")
    if not is_lenient(info):
        try:
            _compile(encoded)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            says = getattr(error, "message", None) or str(error)
            raise ValueError(f"This is not a JSON Schema that can be used: {says}.") from None
    return schema


class Validate(Filter):
    label, icon = "Validate", "shield-check"
    outputs = (
        Port("valid", "Events that keep to the schema."),
        Port("invalid", "Events that don't."),
    )

    class Config(NodeConfig):
        json_schema: Annotated[dict[str, Any] | bool, AfterValidator(_check_schema)] = Field(
            description="The JSON Schema.",
            json_schema_extra={"widget": "json"},
            examples=[{"type": "object", "required": ["id"]}],
        )
        path: DataPath = Field(default="data", description="What to check.")
        errors_path: OptionalDataPath = Field(
            default="",
            description="Where to put the list of problems; empty: only into the step.",
            examples=["data.problems"],
        )

    config: Config
    examples = (
        Example(
            title="Orders need an id",
            config={"json_schema": {"type": "object", "required": ["id"]}},
            given=[{"id": 1}, {"sum": 5}],
            expect={"valid": [{"id": 1}], "invalid": [{"sum": 5}]},
        ),
        Example(
            title="Tell what is wrong",
            config={
                "json_schema": {"properties": {"sum": {"type": "number", "minimum": 1}}},
                "errors_path": "data.problems",
            },
            given=[{"sum": 0}],
            expect={
                "invalid": [
                    {
                        "sum": 0,
                        "problems": [
                            {"path": "data.sum", "message": "0 is less than the minimum of 1"}
                        ],
                    }
                ]
            },
        ),
    )

    @cached_property
    def _validator(self) -> Any:
        return _compile(msgspec.json.encode(self.config.json_schema))

    def summary(self) -> str:
        schema = self.config.json_schema
        title = schema.get("title") if isinstance(schema, dict) else None
        return title.replace("\n", " ") if isinstance(title, str) else self.config.path

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        value = get_data(event, self.config.path)
        if value is MISSING:
            errors = [{"path": self.config.path, "message": "It is missing"}]
        else:
            found = islice(self._validator.iter_errors(value), _MOST_ERRORS)
            errors = [self._describe(error) for error in found]
        if not errors:
            yield "valid", event
            return
        yield Why({"errors": errors})
        path = self.config.errors_path
        yield "invalid", with_data(event, put(event.data, path, errors)) if path else event
        yield Filtered(f"{errors[0]['path']}: {errors[0]['message']}.")

    def _describe(self, error: Any) -> dict[str, str]:
        path = ".".join([self.config.path, *map(str, error.instance_path)])
        return {"path": path, "message": str(error.message)[:_LONGEST_MESSAGE]}
