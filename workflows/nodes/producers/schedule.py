"""Start the flow at set times: by a cron line, or every so many seconds.

Cron lines are read in the time zone that is set, daylight saving included. The event's id follows
from the moment it was due, so no moment counts twice. Moments that were missed, because nothing ran
then, are made up for once, unless the settings say otherwise.
"""

from datetime import UTC, datetime
from math import floor
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from workflows.engine.event import JSON, Event
from workflows.engine.fields import OptionalKeyText
from workflows.engine.node import Example, Missed, NodeConfig, Producer
from workflows.engine.plain import rfc3339


class Schedule(Producer):
    label, icon = "Schedule", "clock"

    class Config(NodeConfig):
        cron: str = Field(
            default="",
            max_length=200,
            description="Minute, hour, day, month, weekday, as in “0 9 * * 1-5”.",
            examples=["0 9 * * 1-5", "*/15 * * * *"],
        )
        every_seconds: float = Field(
            default=0.0,
            ge=0,
            le=2_592_000,
            description="Seconds between events, at least 1; instead of a cron line.",
        )
        timezone: str = Field(
            default="UTC", max_length=64, description="The time zone, as in “Europe/Berlin”."
        )
        missed: Missed = Field(
            default="once",
            description="Moments at which nothing ran: skip them, make up for the last one, or for"
            " all of them.",
        )
        event_type: str = Field(
            default="schedule", min_length=1, max_length=200, description="The event type."
        )
        data: JSON = Field(
            default={},
            description="The data of each event.",
            json_schema_extra={"widget": "json"},
        )
        key: OptionalKeyText = Field(
            default="",
            description="What keeps events in order and together, where they don't say so by"
            " partitionkey or subject; empty: nothing does.",
        )

        @field_validator("cron")
        @classmethod
        def _is_cron(cls, cron: str) -> str:
            try:
                if cron:
                    next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration) as error:
                raise ValueError(f"This is not a cron line that ever comes due: {error}.") from None
            return cron

        @field_validator("every_seconds")
        @classmethod
        def _is_not_too_often(cls, seconds: float) -> float:
            if 0 < seconds < 1:
                raise ValueError("Events can't come more often than every second.")
            return seconds

        @field_validator("timezone")
        @classmethod
        def _is_known(cls, name: str) -> str:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f'There is no time zone "{name}".') from None
            return name

    config: Config
    examples = (
        Example(
            title="Every working day at nine",
            config={"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "data": {"report": "day"}},
            given=[],
            expect={"out": [{"report": "day"}]},
        ),
        Example(
            title="Every ten seconds",
            config={"every_seconds": 10},
            given=[],
            expect={"out": [{}]},
        ),
    )

    def summary(self) -> str:
        if self.config.cron:
            zone = "" if self.config.timezone == "UTC" else f" {self.config.timezone}"
            return f"{self.config.cron}{zone}"
        return f"every {self.config.every_seconds:g} s"

    def check(self) -> list[tuple[str, str]]:
        if bool(self.config.cron) == bool(self.config.every_seconds):
            return [("cron", "Give either a cron line or a number of seconds.")]
        return []

    def missed(self) -> Missed:
        return self.config.missed

    def next_due(self, after: float) -> float | None:
        every = self.config.every_seconds
        if every:
            due = (floor(after / every) + 1) * every
            return due if due > after else due + every  # decimals are rounded
        start = datetime.fromtimestamp(after, ZoneInfo(self.config.timezone))
        try:
            return next(CronSim(self.config.cron, start)).timestamp()
        except StopIteration:
            return None

    def make(self, due: float, seed: str) -> list[Event]:
        return [
            Event(
                id=f"{seed}/{due:.3f}",
                source="/schedule",
                type=self.config.event_type,
                time=rfc3339(due),
                accepted_at=due,
                data=self.config.data,
                datacontenttype="application/json",
            )
        ]
