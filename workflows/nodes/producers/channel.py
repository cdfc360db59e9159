"""Read events from a shared channel.

Any number of flows can read the same channel, each at its own pace. Events get there by the API
and by the channel consumers of other flows.
"""

from pydantic import Field

from workflows.engine.fields import ChannelSlug
from workflows.engine.node import Example, NodeConfig, Producer


class Channel(Producer):
    label, icon = "Channel", "inbox"
    inbox = False

    class Config(NodeConfig):
        channel: ChannelSlug = Field(description="The channel to read.")

    config: Config
    examples = (
        Example(
            title="All orders",
            config={"channel": "orders"},
            given=[{"amount": 120}],
            expect={"out": [{"amount": 120}]},
        ),
        Example(
            title="Events of any shape",
            config={"channel": "audit-log"},
            given=[{"who": "ada"}, None],
            expect={"out": [{"who": "ada"}, None]},
        ),
    )

    def channel(self) -> str | None:
        return self.config.channel

    def summary(self) -> str:
        return self.config.channel
