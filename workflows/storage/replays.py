"""How does a replay begin, and which ones are there? What happens in one is `replaywork`'s."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import transaction
from django.db.models import Max, QuerySet

from workflows.engine.plan import Plan
from workflows.engine.problems import Problem
from workflows.models import Channel, Flow, FlowVersion, Replay, Subscription
from workflows.storage import (
    channels,
    cursors,
    flowrows,
    flows,
    ranges,
    replaywork,
    runs,
    sql,
    traces,
)
from workflows.storage.ranges import Selection

COUNTED_AT_ONCE = 200_000  # offsets that a dry run looks at; a worker counts the rest
MOST_PLACES = 500
FASTEST = 10_000.0
_KEPT_SECONDS = 30 * 86_400.0  # after it ended
_FORGOTTEN = 5  # in one go


class Refused(Exception):
    """It can't begin. `field` is what to change; `problems` are those of the draft."""

    def __init__(self, says: str, field: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(says)
        self.field, self.problems = field, list(problems)


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants to replay. Empty names mean the obvious one."""

    mode: str
    selection: Selection = Selection()
    draft: bool = False
    node: str = ""  # the producer at which the events enter
    channel: str = ""  # slug
    rate: float | None = None
    user_id: int | None = None


class Prepared(NamedTuple):
    """A wish that can begin: how many events it is about, and what people should know first."""

    node: str
    channel: Channel
    document: dict[str, Any]
    spans: list[ranges.Span]
    uncounted: list[ranges.Span]
    total: int
    remembers: list[str]  # names of nodes that keep a memory


def prepare(flow: Flow, wish: Wish) -> Prepared:
    """Look up and count what is meant, and change nothing. Raises `Refused`."""
    document, plan = _plan(flow, wish.draft)
    channel, node = _entrance(flow, plan, wish)
    spans = ranges.spans(channel.pk, wish.selection)
    total, uncounted = ranges.count(channel.pk, wish.selection, spans, COUNTED_AT_ONCE)
    remembers = [one.name or one.id for one in plan.nodes.values() if one.keeps_state]
    return Prepared(node, channel, document, spans, uncounted, total, remembers)


def start(flow: Flow, wish: Wish) -> Replay:
    """Begin a replay of what is in the channel now. Raises `Refused`."""
    ready = prepare(flow, wish)
    if not ready.spans:
        raise Refused("No event fits: choose another range.", "selection")
    now = sql.database_now()
    with transaction.atomic():
        version = _freeze(flow, ready.document) if wish.draft else flow.published
        assert version is not None, "`prepare` refuses flows without a version"
        subscription, _ = Subscription.objects.get_or_create(
            flow=flow,
            node=ready.node,
            channel=ready.channel,
            defaults={"version": version, "state": Subscription.State.CLOSED},
        )
        return Replay.objects.create(
            flow=flow,
            version=version,
            subscription=subscription,
            mode=wish.mode,
            state=Replay.State.COUNTING if ready.uncounted else Replay.State.RUNNING,
            selection=msgspec.to_builtins(wish.selection),
            rate=wish.rate,
            unread=ready.spans,
            uncounted=ready.uncounted,
            total=ready.total,
            due_at=now,
            moved_at=now,
            created_at=now,
            created_by_id=wish.user_id,
        )


def _plan(flow: Flow, draft: bool) -> tuple[dict[str, Any], Plan]:
    if not draft and flow.published is None:
        raise Refused("The flow has no published version: replay into its draft.", "draft")
    document = flowrows.draft(flow).document if draft else getattr(flow.published, "document", {})
    plan, problems = flows.check(flow, document)
    if plan is None:
        raise Refused("The draft has problems to mend first.", "draft", problems)
    return document, plan


def _entrance(flow: Flow, plan: Plan, wish: Wish) -> tuple[Channel, str]:
    """The channel to read, and the producer at which its events enter the flow."""
    reads = {node: channel_of(flow, plan, node) for node in plan.producers}
    if wish.node and wish.node not in reads:
        raise Refused(f"There is no producer {wish.node[:60]!r} in it.", "node")
    fitting = [wish.node] if wish.node else [n for n in reads if reads[n] == wish.channel]
    if not fitting and len(reads) == 1:
        fitting = list(reads)
    if len(fitting) != 1:
        raise Refused(f"Say at which producer: {', '.join(reads)}.", "node")
    slug = wish.channel or reads[fitting[0]]
    channel = channels.get(flow.workspace_id, slug)
    if channel is None:
        raise Refused(f"There is no channel {slug[:140]!r} in this workspace.", "channel")
    return channel, fitting[0]


def channel_of(flow: Flow, plan: Plan, node: str) -> str:
    """The slug of the channel that a producer reads."""
    producer: Any = plan.nodes[node].node
    return channels.inbox_slug(flow.slug, node) if producer.inbox else str(producer.channel())


def _freeze(flow: Flow, document: dict[str, Any]) -> FlowVersion:
    """Keep the draft as it is now under a number that no published version gets."""
    Flow.objects.select_for_update().get(pk=flow.pk)
    trials = FlowVersion.objects.filter(flow=flow, number__gte=runs.FIRST_TRIAL)
    last = trials.aggregate(last=Max("number"))["last"] or runs.FIRST_TRIAL - 1
    note = "A draft that a replay ran"
    return FlowVersion.objects.create(flow=flow, number=last + 1, document=document, note=note)


def chosen(
    workspace_id: int, named: Sequence[str], *, as_traces: bool
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The channel's slug and the places of events named by their traces' ids, or by their own
    positions. Raises `Refused`."""
    field = "traces" if as_traces else "events"
    if len(named) > MOST_PLACES:
        raise Refused(f"At most {MOST_PLACES} are taken at once.", field)
    refs = [traces.parse_ref(text) for text in named]
    where: dict[int, str] = {}  # channel -> the first that lies in it
    places: list[tuple[int, int]] = []
    for text, ref in zip(named, refs, strict=True):
        row = traces.find(ref) if ref and as_traces else None
        if ref is None or (as_traces and row is None):
            raise Refused(f"There is no {field[:-1]} {text[:60]!r}.", field)
        channel_id = cursors.channel_of(ref.subscription_id) if as_traces else ref.subscription_id
        where.setdefault(channel_id, text)
        places.append((ref.partition, ref.offset))
    ours = Channel.objects.filter(workspace_id=workspace_id, pk__in=list(where))
    slugs = dict(ours.values_list("pk", "slug"))
    for channel_id, text in where.items():
        if channel_id not in slugs:  # what others have is as good as nothing
            raise Refused(f"There is no {field[:-1]} {text[:60]!r}.", field)
    if len(slugs) > 1:
        raise Refused("These lie in several channels: replay one after the other.", field)
    return slugs.popitem()[1], tuple(dict.fromkeys(places))


def listed(workspace_id: int, flow: str = "") -> QuerySet[Replay]:
    """The replays of a workspace, or of one of its flows, without the documents they run."""
    found = Replay.objects.filter(flow__workspace_id=workspace_id)
    if flow:
        found = found.filter(flow__slug=flow)
    related = ("flow", "version", "subscription__channel", "created_by")
    return found.select_related(*related).defer("version__document").order_by("-id")


def find(workspace_id: int, replay_id: int) -> Replay | None:
    """One replay of the workspace."""
    return listed(workspace_id).filter(pk=replay_id).first()


def cancel(replay_id: int) -> bool:
    """Take no more events; what was taken is finished. False when it had ended already."""
    with transaction.atomic():
        cancelled = bool(
            sql.execute(
                f"UPDATE workflows_replay SET state = 'cancelled', ended_at = {sql.now_sql()}"
                " WHERE id = %s AND state IN ('counting', 'running')",
                (replay_id,),
            )
        )
        if cancelled:
            replaywork.forget_memory(replay_id)
    return cancelled


def forget() -> int:
    """Delete replays that ended long ago and have no trace left, some at a time; how many."""
    starts = " ".join(f"WHEN '{mode}' THEN {runs.number(mode, 0)}" for mode in Replay.Mode.values)
    found = sql.fetch(
        "SELECT r.id, r.version_id FROM workflows_replay r"
        f" WHERE r.ended_at < {sql.now_sql()} - {_KEPT_SECONDS} AND NOT EXISTS"
        " (SELECT 1 FROM workflows_trace t WHERE t.flow_id = r.flow_id AND t.run > 0"
        f" AND t.run = r.id + CASE r.mode {starts} END) ORDER BY r.id LIMIT {_FORGOTTEN}"
    )
    for replay_id, version_id in found:
        with sql.write():
            replaywork.forget_memory(replay_id)
            sql.execute("DELETE FROM workflows_difference WHERE replay_id = %s", (replay_id,))
            sql.execute("DELETE FROM workflows_replay WHERE id = %s", (replay_id,))
            _forget_trial(version_id)
    return len(found)


def _forget_trial(version_id: int) -> None:
    """Delete the draft that a replay ran, unless something of it is left."""
    unused = "".join(
        f" AND NOT EXISTS (SELECT 1 FROM workflows_{table} x"
        " WHERE x.flow_id = v.flow_id AND x.version_id = v.id)"
        for table in ("replay", "subscription", "effect", "held", "deadletter")
    )
    sql.execute(
        "DELETE FROM workflows_flowversion WHERE id IN (SELECT v.id FROM workflows_flowversion v"
        f" WHERE v.id = %s AND v.number >= %s{unused})",
        (version_id, runs.FIRST_TRIAL),
    )
