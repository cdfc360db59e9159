"""What do nodes remember? Reading it; writing is part of each commit."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from django.db.models import Q, QuerySet

from workflows.engine.event import JSON
from workflows.models import NodeState
from workflows.storage import dbclock, sql

_CHUNK = 400


class Kept(NamedTuple):
    """A value that a node keeps under a key. Moments are Unix seconds."""

    key: str
    value: JSON
    at: float  # when the event was accepted that it comes from
    until: float | None  # None: it is never forgotten


def load(flow_id: int, node: str, keys: Sequence[str]) -> dict[str, JSON]:
    """The values of those keys that are set and haven't expired."""
    out: dict[str, JSON] = {}
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        marks = ", ".join(["%s"] * len(part))
        for key, value in sql.fetch(
            "SELECT key, value FROM workflows_nodestate WHERE flow_id = %s AND node = %s"
            f" AND key IN ({marks}) AND (expires_at IS NULL OR expires_at > {sql.now_sql()})",
            (flow_id, node, *part),
        ):
            out[key] = orjson.loads(bytes(value))
    return out


def version(flow_id: int, node: str) -> int:
    """How often the node's memory was changed. A commit refuses to build on an older one."""
    rows = sql.fetch(
        "SELECT version FROM workflows_memory WHERE flow_id = %s AND node = %s", (flow_id, node)
    )
    return int(rows[0][0]) if rows else 0


def kept(flow_id: int, node: str, key: str | None = None) -> QuerySet[NodeState]:
    """What a node of the type `filter.state` remembers and hasn't forgotten; of that key alone."""
    is_known = Q(expires_at=None) | Q(expires_at__gt=dbclock.now())
    found = NodeState.objects.filter(is_known, flow_id=flow_id, node=node)
    return found if key is None else found.filter(key=key)


def read_kept(rows: Sequence[NodeState]) -> list[Kept]:
    """The values in these rows."""
    read = [(row, orjson.loads(bytes(row.value))) for row in rows]
    return [Kept(row.key, known["value"], known["at"], row.expires_at) for row, known in read]
