"""What does an event look like that a node makes of several others?"""

from workflows.engine.event import JSON, Event
from workflows.engine.keys import key_text
from workflows.engine.node import Context
from workflows.engine.plain import rfc3339
from workflows.engine.shape import bounded

MOST_BYTES = 1_000_000  # of what is kept for one key until an event is made of it
STATE_SLACK_SECONDS = 30 * 86_400.0  # state outlives its hold by this: workers may be down


def derive(ctx: Context, event_id: str, event_type: str, data: JSON, *, at: float) -> Event:
    """The event of the moment `at`; `event_id` comes from `ctx.name`, so it is the same again.
    Its partition key is the `key` in its data, where there is one."""
    key = key_text(data["key"]) if isinstance(data, dict) and "key" in data else ""
    return Event(
        id=event_id,
        source=f"/nodes/{ctx.node_id}",
        type=event_type,
        time=rfc3339(at),
        accepted_at=ctx.now,
        data=bounded(data),
        datacontenttype="application/json",
        partitionkey=key or None,
    )
