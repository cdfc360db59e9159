"""What goes into a run of the engine and what comes out: plain values, no behaviour."""

from typing import Any

import msgspec

from workflows.engine.effects import Effect, Reply
from workflows.engine.event import JSON, Event


class Arrival(msgspec.Struct, frozen=True):
    """One event on one wire, at the node it has reached.

    `root` is the caller's index of the trace it belongs to; `path` a number that tells the way it
    took, the same whenever it is taken again; `fresh` is false for one that was counted already
    (it was held, or waited for a reply).
    """

    root: int
    node: str
    event: Event
    path: int = 0
    fresh: bool = True


class Settlement(msgspec.Struct, frozen=True):
    """An effect that got its reply: the arrival that asked, what it asked, what came back."""

    arrival: Arrival
    effect: Effect
    reply: Reply
    attempt: int  # 1 for the first call
    since: float = 0.0  # Unix seconds: when the first call was due


class Step(msgspec.Struct, frozen=True):
    """One node's part in one trace.

    `outcome`: passed, filtered, deduplicated, batched (it went into another event), expired,
    delivered, dead (final), or held, waiting, retrying (the arrival is still there and a later
    step will end it).

    `why` is what the node told about its decision (a condition: {"condition": [{"text", "value",
    "values", "error"?, "skipped"?}], "result"}), with these keys added where they apply: `reason`
    (of a filtered or held event), `until` (Unix seconds), `unwired` (ports), `detail` (delivered).
    `output` is the event emitted, or {"events": [the first ones], "total"} when there are several.
    """

    root: int
    node: str
    outcome: str
    path: int = 0
    ports: tuple[str, ...] = ()  # one entry per emission, in order
    why: JSON = None
    output: dict[str, Any] | None = None  # only where it differs from what came
    error: dict[str, Any] | None = None  # kind, message, detail
    own_us: int = 0  # microseconds in the node's own code
    effect_ms: float = 0.0  # milliseconds the effect took
    attempt: int = 0


class Ask(msgspec.Struct, frozen=True):
    """An effect for the world, to be performed after the commit."""

    arrival: Arrival
    effect: Effect
    key: str  # idempotency key, 32 hex digits


class Held(msgspec.Struct, frozen=True):
    """An arrival that waits for a moment."""

    arrival: Arrival
    due: float
    reason: str


class Retry(msgspec.Struct, frozen=True):
    """A settled effect that shall be made again at `due`."""

    settlement: Settlement
    due: float
    failure: dict[str, Any]


class Dead(msgspec.Struct, frozen=True):
    """An arrival that ended in a failure nobody took."""

    arrival: Arrival
    failure: dict[str, Any]  # kind, message, detail
    attempts: int


class Walk(msgspec.Struct):
    """All that one run of the engine wants done. The caller commits it as a whole, or nothing."""

    steps: list[Step] = msgspec.field(default_factory=list)
    asks: list[Ask] = msgspec.field(default_factory=list)
    inside: list[Ask] = msgspec.field(default_factory=list)  # Publish and Answer
    held: list[Held] = msgspec.field(default_factory=list)
    retries: list[Retry] = msgspec.field(default_factory=list)
    dead: list[Dead] = msgspec.field(default_factory=list)
    # (root, node) of every fresh arrival, in order
    arrived: list[tuple[int, str]] = msgspec.field(default_factory=list)
    # (node, key) -> (value, expires_at or None); value None means delete
    state: dict[tuple[str, str], tuple[JSON, float | None]] = msgspec.field(default_factory=dict)
