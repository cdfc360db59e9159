"""How does the engine say that a flow is wrong? The same list serves API, canvas and inspector."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend before the flow can be published."""

    node: str  # node id; "" for the flow as a whole
    field: str  # config field, "type", "wires" …; "" for the node as a whole
    says: str  # what is wrong and how to mend it
    level: str = "error"  # or "warning": doesn't prevent publishing
