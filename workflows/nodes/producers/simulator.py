"""Make events by itself, to try a flow or to show one.

The data is JSON whose texts may contain `${…}` with CEL over `n` (grows by one with each event),
`rand`, `rand2`, `rand3` (decimal numbers from 0 to 1, without 1) and `now`. A text that is one
`${…}` keeps the type of its value; `${["new", "old"][int(rand * 2)]}` picks from a list. The same
moment always gives the same events.
"""

from functools import cached_property, lru_cache
from math import ceil, floor
from typing import Annotated

from pydantic import Field

from workflows.engine.event import JSON, Event
from workflows.engine.expression import Env
from workflows.engine.fields import OptionalKeyText, json_template
from workflows.engine.keys import stable_random
from workflows.engine.node import Example, Missed, NodeConfig, Producer
from workflows.engine.plain import rfc3339
from workflows.engine.template import JsonTemplate

_TICK = 0.1  # seconds; faster simulators make several events at a time
_ROUNDING = 1e-3  # of a tick: Unix seconds times a rate are not exact in decimals


@lru_cache(maxsize=1)
def _env() -> Env:
    return Env({"n": "int", "rand": "double", "rand2": "double", "rand3": "double", "now": "time"})


_SAMPLE = {"order": "${n}", "amount": "${math.round(rand * 20000.0) / 100.0}"}


class Simulator(Producer):
    label, icon = "Simulator", "shuffle"

    class Config(NodeConfig):
        rate: float = Field(
            default=1.0, ge=0.001, le=50, description="Events a second; 0.1 is one in 10 seconds."
        )
        event_type: str = Field(
            default="simulated", min_length=1, max_length=200, description="The event type."
        )
        source: str = Field(
            default="/simulator", min_length=1, max_length=200, description="The event's source."
        )
        data: Annotated[JSON, json_template(_env())] = Field(
            default=_SAMPLE,
            description="The data as a JSON template.",
            json_schema_extra={"widget": "json", "variables": ["n", "rand", "rand2", "rand3"]},
        )
        key: OptionalKeyText = Field(
            default="",
            description="What keeps events in order and together, where they don't say so by"
            " partitionkey or subject; empty: nothing does.",
        )

    config: Config
    examples = (
        Example(
            title="Orders, one a second",
            config={"data": {"order": "${n}", "kind": '${["a", "b"][n % 2]}', "note": "No. ${n}"}},
            given=[],
            expect={"out": [{"order": 1700000001, "kind": "b", "note": "No. 1700000001"}]},
        ),
        Example(
            title="Several at a time",
            config={"rate": 20, "data": "${rand >= 0.0 && rand < 1.0 && rand != rand2}"},
            given=[],
            expect={"out": [True, True]},
        ),
    )

    @cached_property
    def _data(self) -> JsonTemplate:
        return JsonTemplate(self.config.data, _env())

    def summary(self) -> str:
        rate = self.config.rate
        pace = f"{rate:g} a second" if rate >= 1 else f"one in {1 / rate:g} s"
        return f"{self.config.event_type}, {pace}"

    def missed(self) -> Missed:
        return "skip"

    def next_due(self, after: float) -> float | None:
        return (floor(after * self._ticks_a_second + _ROUNDING) + 1) / self._ticks_a_second

    def make(self, due: float, seed: str) -> list[Event]:
        tick = round(due * self._ticks_a_second)
        share = self.config.rate / self._ticks_a_second
        # Event number n belongs to the tick in which n / rate falls.
        numbers = range(ceil(tick * share - _ROUNDING), ceil((tick + 1) * share - _ROUNDING))
        return [self._event(n, due, seed) for n in numbers]

    @property
    def _ticks_a_second(self) -> float:
        return min(self.config.rate, 1 / _TICK)

    def _event(self, n: int, due: float, seed: str) -> Event:
        values = {
            "n": n,
            "rand": stable_random(seed, n, 1),
            "rand2": stable_random(seed, n, 2),
            "rand3": stable_random(seed, n, 3),
            "now": due,
        }
        return Event(
            id=f"{seed}/{n}",
            source=self.config.source,
            type=self.config.event_type,
            time=rfc3339(due),
            accepted_at=due,
            data=self._data.value(_env().bind(values)),
            datacontenttype="application/json",
        )
