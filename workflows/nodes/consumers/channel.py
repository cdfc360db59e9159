"""Append each event to a shared channel, from which other flows read.

It happens exactly once. The appended event has an id of its own, made of the old one and the way
that it took. An event that passed through 16 channels in a row is taken for a loop and fails.
"""

from collections.abc import Iterator

from pydantic import Field

from workflows.engine.effects import Publish
from workflows.engine.event import Event
from workflows.engine.fields import ChannelSlug
from workflows.engine.node import Consumer, Context, Example, NodeConfig, NodeError, Result

_MOST_HOPS = 16
_HOPS = "channelhops"


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
        hops = event.extensions.get(_HOPS, 0)
        hops = hops + 1 if isinstance(hops, int) else 1
        if hops > _MOST_HOPS:
            raise NodeError("loop", f"The event came through {_MOST_HOPS} channels: is it a loop?")
        onward = event.replace(
            id=f"{event.id}/{ctx.key[:8]}",
            type=self.config.event_type or event.type,
            extensions={**event.extensions, _HOPS: hops},
        )
        yield Publish(channel=self.config.channel, event=onward.as_dict())
