"""Bring the parts of a split event together again.

When all parts of a split are here, one event goes on whose data is the list of theirs, in the order
of the split. When the time is up before that, an event leaves by `incomplete`: its data has the
`items` that came, the places (`missing`) of those that didn't, and the `total`. The parts
themselves end as batched; one that comes twice, or too late, is set aside.
"""

from collections.abc import Iterator

import msgspec
from pydantic import Field

from workflows.engine.backlog import BACKLOG, note_backlog, wait_for_backlog
from workflows.engine.derived import MOST_BYTES, STATE_SLACK_SECONDS
from workflows.engine.event import JSON, Event
from workflows.engine.moments import say_seconds
from workflows.engine.node import (
    Context,
    Example,
    Filter,
    Filtered,
    Hold,
    NodeConfig,
    NodeError,
    Port,
    Result,
)
from workflows.engine.parts import Mark, mark_of, unmarked
from workflows.engine.shape import bounded

_MOST_PARTS = 1_000
_AGAIN = Filtered("Its place is taken, or the parts have gone on.", outcome="deduplicated")
_BATCHED = Filtered("It went on with the other parts.", outcome="batched")


class Parts(msgspec.Struct):
    """The parts of one split that are here; `leader` is empty when they have gone on."""

    leader: str
    due: float
    size: int = 0
    items: dict[str, JSON] = {}  # by place


class Gather(Filter):
    label, icon = "Gather", "list-checks"
    outputs = (
        Port("out", "All parts as one event."),
        Port("incomplete", "What came in time, when parts are missing."),
    )
    holds = True

    class Config(NodeConfig):
        timeout_seconds: float = Field(
            default=60.0, gt=0, le=2_678_400, description="How long to wait, from the first part."
        )

    config: Config
    examples = (
        Example(
            title="Both halves",
            config={},
            given=["left", "right"],
            extensions=[
                {"splitid": "s", "splitindex": 0, "splittotal": 2},
                {"splitid": "s", "splitindex": 1, "splittotal": 2},
            ],
            expect={"batched": ["left"], "out": [["left", "right"]]},
        ),
        Example(
            title="The other half never comes",
            config={"timeout_seconds": 600},
            given=["right"],
            extensions=[{"splitid": "s", "splitindex": 1, "splittotal": 2}],
            expect={"incomplete": [{"items": ["right"], "missing": [0], "total": 2}]},
        ),
        Example(
            title="Only what was split can be gathered",
            config={},
            given=["whole"],
            expect={"error": ["whole"]},
        ),
    )

    def summary(self) -> str:
        return f"all parts, within {say_seconds(self.config.timeout_seconds)}"

    def state_keys(self, event: Event, ctx: Context) -> tuple[str, ...]:
        return _place(event).splitid, BACKLOG

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        note_backlog(ctx)
        mark, parts = _place(event), self._parts(event, ctx)
        if parts is not None and (
            not parts.leader or str(mark.splitindex) in parts.items or parts.due <= ctx.now
        ):
            yield _AGAIN
            return
        leads = parts is None
        parts = parts or Parts(ctx.key, ctx.now + self.config.timeout_seconds)
        parts.size += len(msgspec.json.encode(event.data))
        if mark.splittotal > _MOST_PARTS or parts.size > MOST_BYTES:
            says = f"{_MOST_PARTS:,} parts or {MOST_BYTES:,} bytes can be gathered at most."
            raise NodeError("limit", says)
        parts.items[str(mark.splitindex)] = event.data
        if len(parts.items) == mark.splittotal:
            self._keep(event, ctx, Parts("", parts.due))
            items = [parts.items[str(place)] for place in range(mark.splittotal)]
            yield "out", _whole(event, ctx, items)
            return
        self._keep(event, ctx, parts)
        if leads:
            yield Hold(parts.due, f"Waits for the other {mark.splittotal - 1} parts.")
        else:
            yield _BATCHED

    def release(self, event: Event, ctx: Context) -> Iterator[Result]:
        mark, parts = _place(event), self._parts(event, ctx)
        if parts is None:
            raise NodeError("state", "What is known of the other parts has expired.")
        if not parts.leader:
            yield _BATCHED
            return
        hold = wait_for_backlog(ctx, parts.due)
        if hold is not None:
            yield hold
            return
        self._keep(event, ctx, Parts("", parts.due))
        places = range(mark.splittotal)
        data = {
            "items": [parts.items[str(n)] for n in places if str(n) in parts.items],
            "missing": [n for n in places if str(n) not in parts.items],
            "total": mark.splittotal,
        }
        yield "incomplete", _whole(event, ctx, data)
        yield Filtered("Parts are missing.")

    def _parts(self, event: Event, ctx: Context) -> Parts | None:
        (key, _) = self.state_keys(event, ctx)
        return msgspec.convert(ctx.state.get(key), Parts | None)

    def _keep(self, event: Event, ctx: Context, parts: Parts) -> None:
        (key, _) = self.state_keys(event, ctx)
        ttl = max(parts.due - ctx.now, 0.0) + STATE_SLACK_SECONDS
        ctx.state.set(key, msgspec.to_builtins(parts), ttl_seconds=ttl)


def _place(event: Event) -> Mark:
    mark = mark_of(event)
    if mark is None or len(mark.splitid) > 64:
        raise NodeError("not-a-part", "The event does not come from a split.")
    return mark


def _whole(event: Event, ctx: Context, data: JSON) -> Event:
    event_id = ctx.name("gather", _place(event).splitid)
    whole = bounded(data)
    return event.replace(id=event_id, data=whole, data_base64=None, extensions=unmarked(event))
