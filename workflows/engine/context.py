"""What does a node see while it handles one event?"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workflows.engine.event import JSON, Event
from workflows.engine.expression import Activation, bind
from workflows.engine.keys import effect_key, stable_key, stable_random
from workflows.engine.node import NodeError
from workflows.engine.plain import MOST_CHARACTERS
from workflows.engine.walk import Arrival

StateChange = tuple[JSON, float | None]  # value and Unix seconds of expiry; value None deletes
_MOST_VIEWS = 2_048


class Surroundings(Protocol):
    """What a run needs from outside; given by tasks, faked by `engine.testing`."""

    @property
    def now(self) -> float:
        """Unix seconds, taken once for the run: the moment of its replies, from which retries
        count, the least from which state expires, and every node's `ctx.wall`."""

    def load_state(self, node_id: str, keys: Sequence[str]) -> dict[str, JSON]:
        """The stored values of these keys, expired ones left out. One call a node and batch."""


class Views:
    """Each event's dict and activation, made once and shared by all nodes of a run."""

    def __init__(self) -> None:
        # Each event is kept with what is made of it, so that its id() can't be given to another.
        self._dicts: dict[int, tuple[Event, dict[str, Any]]] = {}
        self._activations: dict[int, tuple[Event, Activation]] = {}

    def dict_of(self, event: Event) -> dict[str, Any]:
        """The event's CloudEvents object, to be read only."""
        found = self._dicts.get(id(event))
        if found is not None:
            return found[1]
        if len(self._dicts) >= _MOST_VIEWS:
            self._dicts.clear()
        made = event.as_dict()
        self._dicts[id(event)] = (event, made)
        return made

    def of(self, event: Event) -> Activation:
        """The event bound for expressions, with room for what one node makes of it."""
        found = self._activations.get(id(event))
        if found is not None:
            found[1].room = MOST_CHARACTERS
            return found[1]
        if len(self._activations) >= _MOST_VIEWS:
            self._activations.clear()
        activation = bind(self.dict_of(event), event.accepted_at)
        self._activations[id(event)] = (event, activation)
        return activation


class NodeState:
    """A node's memory during a run. What an event changes counts only once it is accepted."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._known: dict[str, JSON] = {}
        self._pending: dict[str, StateChange] = {}
        self.changes: dict[str, StateChange] = {}
        self._allowed: frozenset[str] = frozenset()
        self._expires_from = 0.0

    def load(self, surroundings: Surroundings, keys: Sequence[str]) -> None:
        """Fetch what isn't known yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            found = surroundings.load_state(self._node_id, missing)
            self._known.update({key: found.get(key) for key in missing})

    def begin(self, allowed: Sequence[str], expires_from: float) -> None:
        """Start with another event: forget what the last one left unaccepted."""
        self._pending.clear()
        self._allowed, self._expires_from = frozenset(allowed), expires_from

    def accept(self) -> None:
        """Make the event's changes count."""
        if self._pending:
            self.changes.update(self._pending)
            self._known.update({key: value for key, (value, _) in self._pending.items()})
            self._pending.clear()

    @property
    def pending(self) -> list[JSON]:
        """The values that the event wants kept."""
        return [value for value, _ in self._pending.values()]

    def get(self, key: str) -> JSON:
        """The value, None when there is none."""
        self._check(key)
        return self._pending[key][0] if key in self._pending else self._known.get(key)

    def set(self, key: str, value: JSON, ttl_seconds: float | None = None) -> None:
        """Keep a value, until `ttl_seconds` after the event or the run, whichever is later."""
        self._check(key)
        expires = None if ttl_seconds is None else self._expires_from + ttl_seconds
        self._pending[key] = (value, expires)

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._check(key)
        self._pending[key] = (None, None)

    def _check(self, key: str) -> None:
        if key not in self._allowed:
            raise NodeError("state-key", f'The node did not announce the state key "{key}".')


class NodeContext:
    """A node's `ctx`; one object a node and run, pointed at one arrival after another."""

    def __init__(
        self, names: Mapping[str, str], node_id: str, views: Views, wall: float = 0.0
    ) -> None:
        self._workspace, self._flow = names["workspace"], names["flow"]
        self.node_id = node_id
        self.now, self.wall = 0.0, wall
        self.state = NodeState(node_id)
        self._views = views
        self._arrival: Arrival | None = None
        self._key = ""

    def point_at(self, arrival: Arrival) -> None:
        """Handle this arrival now."""
        self._arrival, self.now = arrival, arrival.event.accepted_at
        self._key = ""

    @property
    def key(self) -> str:
        """See `engine.node.Context.key`."""
        if not self._key:
            self._key = self.effect_key(0)
        return self._key

    def name(self, *parts: str | int) -> str:
        """See `engine.node.Context.name`."""
        return stable_key(self._workspace, self._flow, self.node_id, *parts)

    def effect_key(self, nth: int) -> str:
        """The idempotency key of the arrival's effect number `nth`."""
        arrival: Any = self._arrival
        event = arrival.event
        return effect_key(
            self._workspace, self._flow, self.node_id, event.source, event.id, arrival.path, nth
        )

    def variables(self, event: Event) -> Activation:
        """See `engine.node.Context.variables`."""
        return self._views.of(event)

    def random(self, event: Event) -> float:
        """See `engine.node.Context.random`."""
        return stable_random(event.source, event.id, self.node_id)
