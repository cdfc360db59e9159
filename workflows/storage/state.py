"""What do nodes remember? Reading it; writing is part of each commit."""

from collections.abc import Sequence

import orjson

from workflows.engine.event import JSON
from workflows.storage import sql

_CHUNK = 400


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
