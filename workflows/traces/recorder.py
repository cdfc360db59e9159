"""What does a run leave behind? Turns a Walk into the rows of one commit. Pure: writes nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import orjson

from workflows.engine.effects import Answer, Publish, Reply, destination
from workflows.engine.event import Event
from workflows.engine.fingerprint import fingerprint
from workflows.engine.plan import Plan
from workflows.engine.walk import Ask, Walk
from workflows.storage import recorded
from workflows.storage.log import Incoming
from workflows.storage.parts import (
    FlowCommit,
    NewAnswer,
    NewDeadLetter,
    NewEffect,
    NewHeld,
    NewTrace,
    RetryEffect,
    Taken,
    TraceChange,
    TraceRef,
    Waiting,
)
from workflows.storage.sql import column
from workflows.storage.work import EFFECT_MARGIN_SECONDS
from workflows.traces import byroot, counts
from workflows.traces.segments import segment

Replies = Mapping[tuple[int, int], Reply]  # by the root and the path of who asked
_ERROR_LENGTH = 300
_NO_REPLIES: Replies = MappingProxyType({})
_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")


class Root(msgspec.Struct, frozen=True):
    """The trace that an arrival belongs to, as the walk's `root` index names it."""

    ref: TraceRef
    event: Event  # as it lies in the log
    channel_id: int
    type: str = ""
    key: str = ""
    closed: int = 0  # parked rows of it that this commit ends (effects settled, holds released)


class Setting(msgspec.Struct, frozen=True):
    """Where and when the walk took place."""

    flow_id: int
    version_id: int
    plan: Plan
    now: float
    owner: str
    publish: Callable[[Publish], Incoming]
    taken: float | None = None  # when, if effects were made between that and now


def first_commit(
    setting: Setting,
    roots: Sequence[Root],
    walk: Walk,
    admitted: Sequence[bool],
    replies: Replies = _NO_REPLIES,
) -> FlowCommit:
    """The commit of a drain's slice: each root is a new trace. Cursors are the caller's to add.

    `admitted` tells, for each of `walk.asks`, whether this process performs it right away;
    `replies`, what the world has answered already.
    """
    part = _common(setting, roots, walk, admitted)
    counts.add_repeated(part.counters, [root.ref for root in roots], walk)
    opened, dead = byroot.opened(walk, len(roots)), byroot.failures(walk)
    published, answers = byroot.published(walk), recorded.of_walk(setting.plan, walk, replies)
    for i, (root, steps) in enumerate(zip(roots, byroot.steps(walk, len(roots)), strict=True)):
        delivered = [step.outcome for step in steps].count("delivered")
        failures = dead.get(i, [])
        part.traces.append(
            NewTrace(
                ref=root.ref,
                version=setting.plan.version,
                state=_state(opened[i], len(failures), delivered),
                open=opened[i],
                delivered=delivered,
                dead=len(failures),
                type=root.type,
                key=root.key,
                event_id=column(root.event.id),
                accepted_at=root.event.accepted_at,
                taken_at=setting.now if setting.taken is None else setting.taken,
                ended_at=None if opened[i] else setting.now,
                error=_error(failures),
                steps=segment(setting.now, steps, published.get(i), answers.get(i, ())),
            )
        )
    events = len(roots)
    part.minutes = {int(setting.now // 60): (events, len(walk.dead))}
    part.acted = bool(replies)
    return part


def later_commit(
    setting: Setting,
    roots: Sequence[Root],
    walk: Walk,
    admitted: Sequence[bool],
    replies: Replies = _NO_REPLIES,
) -> FlowCommit:
    """The commit of settled effects or released holds: each root is a trace that exists."""
    part = _common(setting, roots, walk, admitted)
    opened, dead = byroot.opened(walk, len(roots)), byroot.failures(walk)
    published, answers = byroot.published(walk), recorded.of_walk(setting.plan, walk, replies)
    for i, (root, steps) in enumerate(zip(roots, byroot.steps(walk, len(roots)), strict=True)):
        failures = dead.get(i, [])
        part.changes.append(
            TraceChange(
                ref=root.ref,
                open=opened[i] - root.closed,
                delivered=[step.outcome for step in steps].count("delivered"),
                dead=len(failures),
                ended_at=setting.now,
                error=_error(failures),
                steps=segment(setting.now, steps, published.get(i), answers.get(i, ())),
            )
        )
    if walk.dead:
        part.minutes = {int(setting.now // 60): (0, len(walk.dead))}
    return part


def retries(walk: Walk, taken: dict[tuple[int, int], Taken]) -> list[RetryEffect]:
    """The effects to make again; `taken` finds each one's row by (root, path)."""
    return [
        RetryEffect(
            taken=taken[retry.settlement.arrival.root, retry.settlement.arrival.path],
            due_at=retry.due,
            failure=orjson.dumps(retry.failure),
        )
        for retry in walk.retries
    ]


def _common(
    setting: Setting, roots: Sequence[Root], walk: Walk, admitted: Sequence[bool]
) -> FlowCommit:
    part = FlowCommit(flow_id=setting.flow_id)
    part.counters = counts.count(setting.plan, [root.ref.partition for root in roots], walk)
    part.effects = [
        _effect(setting, roots, ask, at_once)
        for ask, at_once in zip(walk.asks, admitted, strict=True)
    ]
    part.held = [
        NewHeld(
            waiting=_waiting(setting, roots, held.arrival, held.due, ""),
            reason=column(held.reason, 200),
            since=setting.now,
            until=held.due,
        )
        for held in walk.held
    ]
    for ask in walk.inside:
        root = roots[ask.arrival.root]
        if isinstance(ask.effect, Publish):
            part.published.append(setting.publish(ask.effect))
        elif isinstance(ask.effect, Answer):
            part.answers.append(_answer(setting, root, ask.effect))
    part.dead = [
        NewDeadLetter(
            ref=roots[dead.arrival.root].ref,
            version_id=setting.version_id,
            node=dead.arrival.node,
            path=dead.arrival.path,
            event=orjson.dumps(dead.arrival.event.as_dict()),
            event_id=column(dead.arrival.event.id),
            failure=_json_column(dead.failure),
            fingerprint=fingerprint(dead.arrival.node, dead.failure),
            attempts=dead.attempts,
            dead_at=setting.now,
        )
        for dead in walk.dead
    ]
    part.state = {
        where: (None if value is None else orjson.dumps(value), expires_at)
        for where, (value, expires_at) in walk.state.items()
    }
    return part


def _effect(setting: Setting, roots: Sequence[Root], ask: Ask, at_once: bool) -> NewEffect:
    seconds = float(getattr(ask.effect, "timeout_seconds", 10.0))
    due_at = setting.now + seconds + EFFECT_MARGIN_SECONDS if at_once else setting.now
    owner = setting.owner if at_once else ""
    return NewEffect(
        waiting=_waiting(setting, roots, ask.arrival, due_at, owner),
        destination=destination(ask.effect),
        since=setting.now,
        key=ask.key,
        request=msgspec.json.encode(ask.effect),
        timeout_seconds=seconds,
        attempt=1 if at_once else 0,
    )


def _waiting(
    setting: Setting, roots: Sequence[Root], arrival: Any, due_at: float, owner: str
) -> Waiting:
    root = roots[arrival.root]
    same = arrival.event is root.event
    return Waiting(
        ref=root.ref,
        version_id=setting.version_id,
        node=arrival.node,
        path=arrival.path,
        lane=column(root.key) if setting.plan.ordered else None,
        event=None if same else orjson.dumps(arrival.event.as_dict()),
        due_at=due_at,
        owner=owner,
    )


def _answer(setting: Setting, root: Root, answer: Answer) -> NewAnswer:
    return NewAnswer(
        channel_id=root.channel_id,
        partition=root.ref.partition,
        offset=root.ref.offset,
        body=msgspec.json.encode(answer),
        answered_at=setting.now,
    )


def _state(opened: int, dead: int, delivered: int) -> str:
    if opened:
        return "running"
    if dead:
        return "failed"
    return "ok" if delivered else "filtered"


def _error(failures: list[dict[str, Any]]) -> str:
    return column(str(failures[0].get("message", "")), _ERROR_LENGTH) if failures else ""


def _json_column(value: Any) -> str:
    """JSON as PostgreSQL's jsonb takes it: it has no way to keep a NUL."""
    text = orjson.dumps(value).decode()
    return _NUL.sub(lambda match: match[1] + "\\ufffd", text) if "\\u0000" in text else text
