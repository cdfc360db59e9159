"""How do totals and traces look to browsers and programs?"""

from datetime import UTC, datetime
from typing import Any

from workflows.storage import runs, traces
from workflows.storage.traces import TraceRow
from workflows.traces.counts import FINAL

_NAMES = {
    "n": "node",
    "o": "outcome",
    "p": "ports",
    "w": "why",
    "d": "output",
    "e": "error",
    "t": "own_us",
    "x": "effect_ms",
    "a": "attempt",
    "k": "path",
}


def totals(flow_id: int) -> dict[str, Any]:
    """`nodes`: counters by node, with `held` for what is parked there; `wires`: by `node:port`."""
    nodes: dict[str, dict[str, int]] = {}
    wires: dict[str, int] = {}
    for node, counts in traces.totals(flow_id).items():
        shown = {name: n for name, n in counts.items() if ":" not in name}
        shown["held"] = shown.get("arrived", 0) - sum(shown.get(name, 0) for name in FINAL)
        nodes[node] = shown
        for name, n in counts.items():
            if name.startswith("out:"):
                wires[f"{node}:{name[4:]}"] = n
    return {"nodes": nodes, "wires": wires}


def row_as_dict(row: TraceRow) -> dict[str, Any]:
    """A trace row as browsers and programs get it; times are RFC 3339, `ms` from its begin."""
    replay = runs.replay_of(row.ref.run)
    return {
        "id": str(row.ref),
        "change": row.change,
        "state": row.state,
        "type": row.type,
        "key": row.key,
        "event_id": row.event_id,
        "at": moment(row.accepted_at),
        "ms": None if row.ended_at is None else round((row.ended_at - row.begun_at) * 1000, 1),
        "path": row.path,
        "error": row.error or None,
        "run": runs.kind(row.ref.run),
        "replay": replay and {"id": replay.replay_id, "mode": replay.mode},
    }


def moment(seconds: float) -> str:
    """Unix seconds as RFC 3339 with milliseconds."""
    at = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def steps_of(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps of a trace in order, with whole words for the short keys of the segments."""
    return [
        {
            "ports": [],
            "why": None,
            "output": None,
            "error": None,
            "effect_ms": None,
            "attempt": None,
            **{_NAMES[key]: value for key, value in step.items()},
            "at": moment(segment["at"]),
        }
        for segment in segments
        for step in segment["steps"]
    ]
