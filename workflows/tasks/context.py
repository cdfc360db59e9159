"""What surrounds the engine when it runs for real: state from the database, channels by slug."""

from collections.abc import Sequence

import orjson

from workflows.engine.effects import Publish
from workflows.engine.event import JSON, Event
from workflows.engine.eventkey import event_key
from workflows.engine.indexing import marks_of
from workflows.storage import channels, dbclock, log, sql, state


class Surroundings:
    """One flow's surroundings for one walk."""

    def __init__(self, flow_id: int) -> None:
        self._flow_id = flow_id
        self.now = dbclock.now()  # the present, as nodes and the expiry of state see it
        self.versions: dict[str, int] = {}  # of the memories read, for the commit to check

    def load_state(self, node_id: str, keys: Sequence[str]) -> dict[str, JSON]:
        self.versions.setdefault(node_id, state.version(self._flow_id, node_id))
        return state.load(self._flow_id, node_id, keys)


class Publisher:
    """Turns a `Publish` into a row for the log, and remembers which channels got something."""

    def __init__(self, workspace_id: int) -> None:
        self._workspace_id = workspace_id
        self.channel_ids: set[int] = set()

    def __call__(self, effect: Publish) -> log.Incoming:
        channel = channels.ensure(self._workspace_id, effect.channel)
        self.channel_ids.add(channel.id)
        return incoming(channel, effect.event)


def incoming(channel: channels.ChannelRow, body: dict[str, JSON]) -> log.Incoming:
    """A CloudEvents object, already checked, on its way into `channel`."""
    event_id, source = str(body["id"]), str(body["source"])
    key = sql.column(event_key(body, channel.key_expression).text)
    return log.Incoming(
        channel_id=channel.id,
        partition=log.partition_of(key, channel.partitions),
        event_id=sql.column(event_id),
        type=sql.column(str(body["type"])),
        key=key,
        digest=log.digest_of(source, event_id),
        body=orjson.dumps(body),
        keep_seconds=channel.keep_seconds,
        marks=marks_of(channel.indexed, body, key) if channel.indexed else (),
    )


def event_of(stored: bytes, accepted_at: float) -> Event:
    """An event as it was written to the log or to a parked row."""
    return Event.from_dict(orjson.loads(stored), accepted_at)
