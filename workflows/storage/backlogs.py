"""How much has a flow still before it, since when, and why? By producer, and by node that holds."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import QuerySet

from workflows.engine.plan import Plan
from workflows.models import Channel, Flow, Subscription
from workflows.storage import backpressure, dbclock, figures, gates, sql, traces
from workflows.storage.parked import BEHIND
from workflows.storage.plans import PlanMissing, load_plan

MOST_ROWS = 100_000  # parked rows of each kind that one look goes through
_MINUTES = 5  # over which the rate is
_MOST_READERS = 100  # that are told of


class ReaderBacklog(NamedTuple):
    """Unread events of a producer, and what its channel allows."""

    node: str
    channel: str
    lag: int
    oldest: float | None  # when the first unread event was accepted, Unix seconds
    expired: int
    lag_limit: int
    lag_policy: str
    waits_for: str  # the full channel without which it takes no more; "" when there is none


class Wait(NamedTuple):
    """So many that wait at a node for the same reason.

    `why`: retry (another attempt), down (the destination doesn't answer), limit, turn (behind
    another of the same key), under_way, worker (could go at once), or held (the node waits).
    """

    why: str
    n: int
    oldest: float  # since when the first one waits, Unix seconds
    goes_on: float | None  # when the first one of them does, if that is known
    destination: str
    says: str


class NodeBacklog(NamedTuple):
    """What is parked at a node."""

    node: str
    calls: int  # that wait for their turn, their reply or another try
    held: int
    oldest: float  # since when the first one waits, Unix seconds
    waits: list[Wait]  # most of them first


class Parked(NamedTuple):
    """What is parked in a flow. `is_whole`: everything was looked at; else there are more."""

    nodes: list[NodeBacklog]
    is_whole: bool


def readers(flow_id: int) -> list[ReaderBacklog]:
    """Of each producer of a flow that reads now, by its id."""
    found = _reading(Subscription.objects.filter(flow_id=flow_id))
    return sorted((one for _, one in found), key=lambda one: (one.node, one.channel))


def of_channel(channel: Channel) -> list[tuple[Flow, ReaderBacklog]]:
    """Of each flow that reads a channel now, the one that is furthest behind first."""
    found = _reading(Subscription.objects.filter(channel=channel))
    return sorted(found, key=lambda one: (-one[1].lag, one[0].name, one[1].node))


def _reading(asked: QuerySet[Subscription]) -> list[tuple[Flow, ReaderBacklog]]:
    live = asked.exclude(state="closed").select_related("flow__published", "channel")
    mine = list(live.order_by("pk")[:_MOST_READERS])
    how = figures.of_channels(sorted({one.channel_id for one in mine}))
    known = {
        (channel_id, reader.flow, reader.node): reader
        for channel_id, figure in how.items()
        for reader in figure.readers
    }
    out = []
    for one in mine:
        reader = known.get((one.channel_id, one.flow.slug, one.node))
        if reader is None:
            continue  # it was closed a moment ago
        backlog = ReaderBacklog(
            reader.node,
            one.channel.slug,
            reader.lag,
            reader.oldest,
            reader.expired,
            one.channel.lag_limit,
            one.channel.lag_policy,
            backpressure.waits_for(one.pk) if reader.lag else "",
        )
        out.append((one.flow, backlog))
    return out


def rate(flow_id: int) -> float:
    """Events that the flow took a minute, of late."""
    now = dbclock.now() / 60
    first = int(now) - _MINUTES + 1
    minutes = traces.per_minute([flow_id], first).get(flow_id, {})
    return sum(events for events, _ in minutes.values()) / (now - first)


def nodes(flow: Flow) -> Parked:
    """Of each node that something is parked at, by its id."""
    calls = _effects(flow)
    held = _held(flow.pk)
    out = []
    for node in sorted(calls.keys() | held.keys()):
        waits = [*calls.get(node, ()), *held.get(node, ())]
        out.append(
            NodeBacklog(
                node,
                sum(wait.n for wait in calls.get(node, ())),
                sum(wait.n for wait in held.get(node, ())),
                min(wait.oldest for wait in waits),
                sorted(waits, key=lambda wait: -wait.n),
            )
        )
    looked = (sum(one.calls for one in out), sum(one.held for one in out))
    return Parked(out, max(looked) < MOST_ROWS)


_WHY = "CASE WHEN due_at >= %s THEN 'turn' WHEN owner <> '' THEN 'under_way'"
_SOME = "WHERE flow_id = %s LIMIT %s) AS parked"
_LOOK_AT_EFFECTS = (
    f"SELECT node, {_WHY} WHEN failed THEN 'retry' ELSE 'worker' END AS why, destination,"
    " COUNT(*), MIN(since), MIN(due_at) FROM (SELECT node, due_at, owner, destination, since,"
    f" failure IS NOT NULL AS failed FROM workflows_effect {_SOME} GROUP BY 1, 2, 3"
)
_LOOK_AT_HELD = (
    f"SELECT node, {_WHY} ELSE 'held' END AS why, MIN(reason), COUNT(*), MIN(since), MIN(due_at)"
    " FROM (SELECT node, due_at, owner, reason, since"
    f" FROM workflows_held {_SOME} GROUP BY 1, 2"
)


def _held(flow_id: int) -> dict[str, list[Wait]]:
    out: dict[str, list[Wait]] = {}
    for node, why, says, n, since, due_at in sql.fetch(_LOOK_AT_HELD, (BEHIND, flow_id, MOST_ROWS)):
        goes_on = due_at if why == "held" else None
        says = says if why == "held" and n == 1 else ""  # the reasons of others may differ
        out.setdefault(node, []).append(Wait(why, int(n), since, goes_on, "", says))
    return out


def _effects(flow: Flow) -> dict[str, list[Wait]]:
    known = {gate.destination: gate for gate in gates.of_workspace(flow.workspace_id)}
    limited = _limited(flow)
    out: dict[str, list[Wait]] = {}
    for node, why, to, n, since, due_at in sql.fetch(
        _LOOK_AT_EFFECTS, (BEHIND, flow.pk, MOST_ROWS)
    ):
        gate = known.get(to)
        wait = Wait(why, int(n), since, None, to, "")
        if why in ("retry", "worker") and gate is not None and gate.opened_at is not None:
            wait = wait._replace(why="down", goes_on=gate.retry_at, says=gate.error)
        elif why == "retry":
            wait = wait._replace(goes_on=due_at)
        elif why == "worker" and (node in limited or (gate and (gate.at_once or gate.per_second))):
            wait = wait._replace(why="limit")
        out.setdefault(node, []).append(wait)
    return {node: _merged(waits) for node, waits in out.items()}


def _merged(waits: Iterable[Wait]) -> list[Wait]:
    """Retries that were due and calls that weren't made yet wait alike for what is down."""
    out: dict[tuple[str, str], Wait] = {}
    for wait in waits:
        before = out.get((wait.why, wait.destination))
        if before is not None:
            wait = wait._replace(n=before.n + wait.n, oldest=min(before.oldest, wait.oldest))
        out[wait.why, wait.destination] = wait
    return list(out.values())


def _limited(flow: Flow) -> set[str]:
    """The nodes that have limits of their own, in the version that runs."""
    try:
        plan: Plan | None = load_plan(flow.published_id) if flow.published_id else None
    except PlanMissing:
        plan = None
    return {one.id for one in plan.nodes.values() if one.node.limits()} if plan else set()
