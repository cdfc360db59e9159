"""What is a node type? One file with one subclass of Producer, Filter or Consumer.

The role comes from the folder, the type id from the file's stem: `nodes/filters/dedupe.py` is
`filter.dedupe`. Palette entry, ports, form, validation, help and contract tests all come from the
class. A node never does I/O, never sleeps, never reads a clock: it yields results (below).
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict

from workflows.engine.effects import Effect, Reply
from workflows.engine.event import JSON, Event
from workflows.engine.expression import Activation
from workflows.engine.limits import NO_LIMITS, Limits
from workflows.engine.retry import RetryPolicy


class Port(NamedTuple):
    """An output port: its name (used in wires as `node:name`) and one sentence of help."""

    name: str
    help: str


class NodeConfig(BaseModel):
    """Base of every node type's `Config`: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- what `handle`, `settle` and `release` may yield; a bare `(port, event)` tuple is an emission
class Filtered(msgspec.Struct, frozen=True):
    """The event ends here, by decision. `outcome` tells which decision; "passed" is for an event
    that went on earlier and was held besides."""

    reason: str
    outcome: Literal["filtered", "deduplicated", "batched", "expired", "passed"] = "filtered"


class Delivered(msgspec.Struct, frozen=True):
    """The event reached its destination; `detail` is shown in the step."""

    detail: JSON = None


class Hold(msgspec.Struct, frozen=True):
    """Keep the event until `due` (Unix seconds); `release` is called with it then."""

    due: float
    reason: str


class Failed(msgspec.Struct, frozen=True):
    """The node could not do its work. Retried when `retry` and the policy allows it,
    else leaves by the `error` port if that is wired, else becomes a dead letter."""

    kind: str  # short and stable, for grouping: "timeout", "status-500", "expression"
    message: str  # for people
    retry: bool = False
    detail: JSON = None
    after_seconds: float = 0.0  # not before this (Retry-After)


class Why(msgspec.Struct, frozen=True):
    """Explains the step it is yielded in; goes with any other result."""

    because: JSON


Emission = tuple[str, Event]
Result = Emission | Filtered | Delivered | Hold | Failed | Why | Effect


class NodeError(Exception):
    """Raised by a node for a failure that a retry would not mend; becomes `Failed`."""

    def __init__(self, kind: str, message: str, detail: JSON = None) -> None:
        super().__init__(message)
        self.kind, self.detail = kind, detail


class State(Protocol):
    """A node's memory: loaded before its batch, committed with the cursor."""

    def get(self, key: str) -> JSON: ...
    def set(self, key: str, value: JSON, ttl_seconds: float | None = None) -> None: ...
    def delete(self, key: str) -> None: ...


class Context(Protocol):
    """What a node sees of its surroundings while it handles one event."""

    node_id: str
    # Unix seconds: when the event was accepted, or when the last hold that let it go was due, or
    # when the last reply it waited for came.
    now: float
    # Unix seconds: when this run takes place, later than `now` where the flow is behind. Not the
    # same when it runs again: only for what is about the present, such as an age.
    wall: float

    @property
    def state(self) -> State:
        """The node's memory."""

    @property
    def key(self) -> str:
        """32 hex digits that name this arrival, the same whenever it is handled again."""

    def name(self, *parts: str | int) -> str:
        """32 hex digits for what this node makes of `parts`, the same whenever it makes it."""

    def variables(self, event: Event) -> Activation:
        """The event bound for expressions; made once per event and shared by all its nodes."""

    def random(self, event: Event) -> float:
        """In [0, 1), the same for the same event and node whenever it runs again."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A worked example: help text, palette preview and test in one.

    `given` and `expect` hold the data of events; `expect` maps a port (or an outcome such as
    "filtered", "delivered", "held", or an effect kind such as "http") to what comes out, in order.
    For an effect kind the listed keys must be equal in the effect made.
    """

    title: str
    config: dict[str, Any]
    given: list[JSON]
    expect: dict[str, list[JSON]]
    extensions: list[dict[str, Any]] = []  # attributes of the given events, in order
    replies: list[dict[str, Any]] = []  # answers to effects, in order (fields of Reply)


class Node:
    """Base of all node types. Instances are made once per plan and shared by all events."""

    role: ClassVar[str]
    type_id: ClassVar[str] = ""  # set by the registry
    label: ClassVar[str]
    icon: ClassVar[str]  # a Lucide icon's name
    version: ClassVar[int] = 1
    outputs: ClassVar[tuple[Port, ...]] = ()
    has_input: ClassVar[bool] = True
    holds: ClassVar[bool] = False  # may yield Hold: a cycle through it is allowed
    can_fail: ClassVar[bool] = True  # has the port `error` besides its own
    examples: ClassVar[tuple[Example, ...]] = ()

    Config: ClassVar[type[NodeConfig]] = NodeConfig

    def __init__(self, config: Any) -> None:
        self.config = config

    def ports(self) -> tuple[Port, ...]:
        """The output ports under this configuration, without `error`."""
        return self.outputs

    def summary(self) -> str:
        """One line, in the node's own terms, for its card: `amount > 100`."""
        return ""

    def check(self) -> list[tuple[str, str]]:
        """Problems beyond the schema as (config field, what is wrong and how to mend it)."""
        return []

    def retry_policy(self) -> RetryPolicy:
        """How often a failed effect of this node is made again: as its field `retry` says."""
        policy = getattr(self.config, "retry", None)
        return policy if isinstance(policy, RetryPolicy) else RetryPolicy()

    def limits(self) -> Limits:
        """How many of this node's effects may be under way: as its field `limits` says."""
        limits = getattr(self.config, "limits", NO_LIMITS)
        return limits if isinstance(limits, Limits) else NO_LIMITS

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        """Every key of `ctx.state` that may be touched for this event; `ctx.state` is still empty.
        May raise as `handle` may; the event then has no keys."""
        return ()

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        """Decide about one event. Nothing yielded means filtered (consumers: delivered)."""
        raise NotImplementedError

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        """Turn the reply to an effect into a result. Called once per effect, maybe much later."""
        raise NotImplementedError

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        """Go on with an event whose Hold is due."""
        raise NotImplementedError

    @classmethod
    def upgrade(cls, config: dict[str, Any], version: int) -> dict[str, Any]:
        """Bring a configuration written for an older `version` up to date."""
        return config


Missed = Literal["skip", "once", "all"]  # none of them, the last one, or every one


class Producer(Node):
    """Brings events in. `handle` passes each on by port `out`, unless it has more to say."""

    role = "producer"
    has_input = False
    can_fail = False
    outputs = (Port("out", "Every event."),)
    inbox: ClassVar[bool] = True  # reads a private channel of its own; False: a shared one

    def channel(self) -> str | None:
        """Slug of the shared channel that it reads, when `inbox` is false."""
        return None

    def key(self) -> str:
        """The CEL expression that gives an event its key where it names none; empty: its id."""
        return str(getattr(self.config, "key", ""))

    def missed(self) -> Missed:
        """Which of its moments still count when the timer was late, because nothing ran then."""
        return "all"

    def next_due(self, after: float) -> float | None:
        """When to make events by itself: the first moment later than `after` (Unix seconds)."""
        return None

    def make(self, due: float, seed: str) -> list[Event]:
        """The events of the moment `due`. Ids derive from `seed` and `due`: the same again.
        Raises EvaluationError when an expression of the configuration can't be worked out."""
        return []

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        yield "out", event


class Filter(Node):
    """Decides about events and shapes them."""

    role = "filter"


class Consumer(Node):
    """Puts events out into the world. Has no output but `error`."""

    role = "consumer"
