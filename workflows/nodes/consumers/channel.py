"""Append each event to a shared channel, from which other flows read.

It happens exactly once. The appended event has an id of its own, made of the old one and the way
that it took. Events that lead to one another without end are taken for a loop and fail.
"""

from collections.abc import Iterator

from pydantic import Field

from workflows.engine.effects import Publish
from workflows.engine.event import Event
from workflows.engine.fields import ChannelSlug
from workflows.engine.node import Consumer, Context, Example, NodeConfig, Result

_LONG_ID = 200


class Channel(Consumer):
    label, icon = "Channel", "radio-tower"

    class Config(NodeConfig):
        channel: ChannelSlug = Field(description="The channel to append to.")
        event_type: str = Field(
            default="",
            max_length=200,
            description="Another type for the appended events; empty keeps theirs.",
        )

    config: Config
    examples = (
        Example(
            title="Pass orders on",
            config={"channel": "orders"},
            given=[{"amount": 5}],
            expect={"publish": [{"channel": "orders"}], "delivered": [{"amount": 5}]},
        ),
        Example(
            title="Under another type",
            config={"channel": "orders", "event_type": "order.checked"},
            given=[{"amount": 5}],
            expect={"publish": [{"channel": "orders"}]},
        ),
    )

    def summary(self) -> str:
        return self.config.channel

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        is_long = len(event.id) > _LONG_ID  # ids grow with each channel, and columns are narrow
        onward = event.replace(
            id=f"{event.id[:150]}/{ctx.key}" if is_long else f"{event.id}/{ctx.key[:8]}",
            type=self.config.event_type or event.type,
        )
        yield Publish(channel=self.config.channel, event=onward.as_dict())
