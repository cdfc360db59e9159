"""Lead each event to the port of the case that it meets.

The cases are tried in order. With "first", an event leaves by the first case that it meets; with
"all", by every one. What meets no case leaves by `otherwise`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator

from workflows.engine.event import Event
from workflows.engine.fields import ConditionText
from workflows.engine.node import (
    Context,
    Example,
    Failed,
    Filter,
    NodeConfig,
    Port,
    Result,
    Why,
)
from workflows.engine.why import Condition

_TAKEN = ("otherwise", "error")
_CASES = [
    {"name": "large", "when": "event.data.amount > 100"},
    {"name": "foreign", "when": 'event.data.country != "CH"'},
]


class Case(NodeConfig):
    """One way out."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
        description="The port's name: small letters, digits, - and _.",
    )
    when: ConditionText = Field(description="A CEL expression that gives true or false.")


class Switch(Filter):
    label, icon = "Switch", "waypoints"
    outputs = (Port("otherwise", "Events that meet no case."),)

    class Config(NodeConfig):
        cases: list[Case] = Field(
            min_length=1,
            max_length=20,
            description="The cases, tried in this order.",
            json_schema_extra={"widget": "list"},
        )
        matches: Literal["first", "all"] = Field(
            default="first", description="Leave by the first case that is met, or by all."
        )

        @field_validator("cases")
        @classmethod
        def _names_differ(cls, cases: list[Case]) -> list[Case]:
            names = [case.name for case in cases]
            for name in names:
                if name in _TAKEN:
                    raise ValueError(f'A case can\'t be called "{name}": that port exists already.')
                if names.count(name) > 1:
                    raise ValueError(f'Two cases are called "{name}": give one another name.')
            return cases

    config: Config
    examples = (
        Example(
            title="By size, then by country",
            config={"cases": _CASES},
            given=[
                {"amount": 120, "country": "DE"},
                {"amount": 20, "country": "DE"},
                {"amount": 20, "country": "CH"},
            ],
            expect={
                "large": [{"amount": 120, "country": "DE"}],
                "foreign": [{"amount": 20, "country": "DE"}],
                "otherwise": [{"amount": 20, "country": "CH"}],
            },
        ),
        Example(
            title="By every case that is met",
            config={"cases": _CASES, "matches": "all"},
            given=[{"amount": 120, "country": "DE"}],
            expect={
                "large": [{"amount": 120, "country": "DE"}],
                "foreign": [{"amount": 120, "country": "DE"}],
            },
        ),
    )

    @cached_property
    def _cases(self) -> list[tuple[str, Condition]]:
        return [(case.name, Condition(case.when)) for case in self.config.cases]

    def ports(self) -> tuple[Port, ...]:
        cases = [Port(case.name, f"Events with {case.when}") for case in self.config.cases]
        return (*cases, *self.outputs)

    def summary(self) -> str:
        return " / ".join(case.name for case in self.config.cases)

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        tried: list[dict[str, Any]] = []
        met: list[str] = []
        failure = ""
        for name, condition in self._cases:
            value, because, failure = condition.decide(variables)
            tried.append({"case": name, "condition": because, "result": value})
            if value:
                met.append(name)
            if failure or (value and self.config.matches == "first"):
                break
        yield Why({"switch": tried})
        if failure:
            yield Failed("expression", failure)
            return
        for name in met or ["otherwise"]:
            yield name, event
