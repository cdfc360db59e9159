"""Start the flow by hand, with a button.

For trying things out, and for what a person decides to do now and then.
"""

from pydantic import Field

from workflows.engine.event import JSON
from workflows.engine.fields import OptionalKeyText
from workflows.engine.node import Example, NodeConfig, Producer


class Manual(Producer):
    label, icon = "Manual", "hand"

    class Config(NodeConfig):
        event_type: str = Field(
            default="manual", min_length=1, max_length=200, description="The event type."
        )
        data: JSON = Field(
            default={},
            description="The data that the form starts with.",
            json_schema_extra={"widget": "json"},
        )
        key: OptionalKeyText = Field(
            default="",
            description="What keeps events in order and together, where they don't say so by"
            " partitionkey or subject; empty: nothing does.",
        )

    config: Config
    examples = (
        Example(
            title="A sample order",
            config={"event_type": "order.created", "data": {"amount": 120}},
            given=[{"amount": 120}],
            expect={"out": [{"amount": 120}]},
        ),
        Example(title="Just a start", config={}, given=[{}], expect={"out": [{}]}),
    )

    def summary(self) -> str:
        return self.config.event_type
