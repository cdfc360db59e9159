"""The parts of a commit, as plain values: what `commit` writes, one class a table."""

from typing import NamedTuple

import msgspec

from workflows.storage import log, runs


class Fenced(Exception):
    """Somebody else does this work now. `lost`: the (flow, parked row) that were taken over."""

    def __init__(self, says: str, lost: "frozenset[tuple[int, Taken]]" = frozenset()) -> None:
        super().__init__(says)
        self.lost = lost


class Stale(Exception):
    """Another walk has changed a node's memory since this one read it: walk again."""


class TraceRef(NamedTuple):
    """Identity of a trace."""

    subscription_id: int
    partition: int
    offset: int
    run: int = 0

    @property
    def word(self) -> str:
        """What kind of run it is, for people."""
        return runs.word(self.run)

    def __str__(self) -> str:
        base = f"{self.subscription_id}-{self.partition}-{self.offset}"
        return f"{base}-{self.run}" if self.run else base


class CursorMove(msgspec.Struct, frozen=True):
    """Counts only while the cursor has this epoch and is still where the reading began."""

    partition: int
    epoch: int
    begin: int
    position: int  # the next offset to read
    lease_seconds: float  # 0 gives the lease back


class NewTrace(msgspec.Struct, frozen=True):
    ref: TraceRef
    version: int
    state: str
    open: int
    delivered: int
    dead: int
    type: str
    key: str
    event_id: str
    accepted_at: float
    taken_at: float
    ended_at: float | None
    error: str
    steps: bytes


class TraceChange(msgspec.Struct, frozen=True):
    """What a later commit adds to a trace: differences, so that two at once lose nothing."""

    ref: TraceRef
    open: int
    delivered: int
    dead: int
    ended_at: float
    error: str
    steps: bytes


class Waiting(msgspec.Struct, frozen=True):
    """An arrival that is parked: the part that effects and held arrivals have in common."""

    ref: TraceRef
    version_id: int
    node: str
    path: int
    lane: str | None  # in a flow that keeps order: the event's key
    event: bytes | None  # None: as it lies in the log
    due_at: float
    owner: str


class NewEffect(msgspec.Struct, frozen=True):
    waiting: Waiting
    destination: str
    since: float
    key: str
    request: bytes
    timeout_seconds: float
    attempt: int


class NewHeld(msgspec.Struct, frozen=True):
    waiting: Waiting
    reason: str
    since: float
    until: float


class Taken(NamedTuple):
    """A parked row as it was taken. The attempt tells a taking from the next one, also by the
    same process: a late reply must not settle what has been asked again."""

    number: int
    attempt: int


class RetryEffect(msgspec.Struct, frozen=True):
    taken: Taken
    due_at: float
    failure: bytes


class NewDeadLetter(msgspec.Struct, frozen=True):
    ref: TraceRef
    version_id: int
    node: str
    path: int
    event: bytes
    event_id: str
    failure: str  # JSON
    fingerprint: str
    attempts: int
    dead_at: float


class Redriven(NamedTuple):
    """A dead letter that a commit runs again: by which redrive, as which run of its trace."""

    id: int
    redrive_id: int
    by: str
    rerun: int
    outcome: str  # state of the new trace


class NewAnswer(msgspec.Struct, frozen=True):
    channel_id: int
    partition: int
    offset: int
    body: bytes
    answered_at: float


class FlowCommit(msgspec.Struct):
    """All that one flow's part of a commit writes."""

    flow_id: int
    subscription_id: int = 0
    cursors: list[CursorMove] = []
    traces: list[NewTrace] = []
    changes: list[TraceChange] = []
    effects: list[NewEffect] = []
    acted: bool = False  # effects were made before this, of which nothing else is known
    settled: list[Taken] = []  # effects that are done
    slots: list[int] = []  # effects, done or to be made again, that give back their slots
    retries: list[RetryEffect] = []
    held: list[NewHeld] = []
    released: list[Taken] = []  # held arrivals that went on
    dead: list[NewDeadLetter] = []
    redriven: list[Redriven] = []  # dead letters that this commit runs again
    answers: list[NewAnswer] = []
    published: list[log.Incoming] = []
    counters: dict[tuple[str, int, str], int] = {}  # (node, partition, name) -> more
    minutes: dict[int, tuple[int, int]] = {}  # minute -> (events, dead)
    state: dict[tuple[str, str], tuple[bytes | None, float | None]] = {}
    state_read: dict[str, int] = {}  # node -> the version of its memory that the walk had read
