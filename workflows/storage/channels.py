"""Which channels are there, and how do they get made?"""

import threading
import time
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from workflows.engine.indexing import Indexed, field_of
from workflows.models import Channel, Head
from workflows.storage import sql

SEEN_SECONDS = 7 * 86_400.0
DEFAULT_PARTITIONS = 8
LAG_POLICIES = Channel.LagPolicy.choices
_CACHE_SECONDS = 2.0
_IS_PRIVATE = ExpressionWrapper(Q(flow__isnull=False), BooleanField())


class ChannelRow(NamedTuple):
    """What an append needs to know of a channel."""

    id: int
    slug: str
    partitions: int
    keep_seconds: float  # how long repeats are recognised: never shorter than the retention
    lag_limit: int
    private: bool  # a producer's inbox
    blocks: bool  # past the lag limit new events are refused; otherwise old ones expire
    key_expression: str
    indexed: tuple[Indexed, ...] = ()


_cache: dict[tuple[int, str], tuple[float, ChannelRow | None]] = {}
_cache_lock = threading.Lock()
_CACHE_LIMIT = 10_000


_SELECT = (
    "SELECT c.id, c.slug, c.partitions, c.retention_days, c.lag_limit, c.flow_id, c.lag_policy,"
    " c.key_expression, i.id, i.path FROM workflows_channel c"
    " LEFT JOIN workflows_indexedfield i ON i.channel_id = c.id AND i.removed_at IS NULL WHERE "
)


def _row(rows: list[sql.Row]) -> ChannelRow | None:
    if not rows:
        return None
    channel_id, slug, partitions, days, lag_limit, flow_id, policy, key, *_ = rows[0]
    return ChannelRow(
        id=channel_id,
        slug=slug,
        partitions=partitions,
        keep_seconds=max(SEEN_SECONDS, days * 86_400.0),
        lag_limit=lag_limit,
        private=flow_id is not None,
        blocks=policy == Channel.LagPolicy.BLOCK,
        key_expression=key,
        indexed=tuple(field_of(*row[-2:]) for row in rows if row[-1] is not None),
    )


def by_id(channel_id: int) -> ChannelRow:
    """The channel of that id. Raises LookupError when it is gone."""
    found = _row(sql.fetch(f"{_SELECT} c.id = %s", (channel_id,)))
    if found is None:
        raise LookupError(f"channel {channel_id} was deleted")
    return found


def find(workspace_id: int, slug: str) -> ChannelRow | None:
    """The channel, or None. Answers are at most two seconds old."""
    now = time.monotonic()
    cached = _cache.get((workspace_id, slug))
    if cached is not None and cached[0] > now:
        return cached[1]
    found = _row(sql.fetch(f"{_SELECT} c.workspace_id = %s AND c.slug = %s", (workspace_id, slug)))
    with _cache_lock:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        _cache[workspace_id, slug] = (now + _CACHE_SECONDS, found)
    return found


def forget() -> None:
    """Drop what `find` remembers, after a change made by this process."""
    with _cache_lock:
        _cache.clear()


def create(
    workspace_id: int,
    slug: str,
    *,
    name: str = "",
    partitions: int = DEFAULT_PARTITIONS,
    flow_id: int | None = None,
    node: str = "",
) -> int:
    """Make a channel with its heads, or find the one of that slug; its id. One of a flow is an
    inbox: its sender hears of it when the flow is too far behind."""
    policy = Channel.LagPolicy.EXPIRE if flow_id is None else Channel.LagPolicy.BLOCK
    try:
        with transaction.atomic():
            channel, made = Channel.objects.get_or_create(
                workspace_id=workspace_id,
                slug=slug,
                defaults={
                    "name": name,
                    "partitions": partitions,
                    "flow_id": flow_id,
                    "node": node,
                    "lag_policy": policy,
                },
            )
            if made:
                Head.objects.bulk_create(
                    [Head(channel_id=channel.pk, partition=i) for i in range(partitions)]
                )
    except IntegrityError:  # somebody made it in this moment
        channel = Channel.objects.get(workspace_id=workspace_id, slug=slug)
    forget()
    return int(channel.pk)


def of_workspace(workspace_id: int) -> QuerySet[Channel]:
    """All channels of a workspace by slug, private inboxes included, each with its flow."""
    found = Channel.objects.filter(workspace_id=workspace_id)
    return found.select_related("flow").order_by("slug")


def page(workspace_id: int, text: str, after: str, limit: int) -> tuple[list[Channel], bool]:
    """The channels that have the text in their slug, shared ones first, from behind the one with
    the slug `after` (if there is one) on; and whether more follow."""
    found = of_workspace(workspace_id)
    if text:
        found = found.filter(slug__icontains=text)
    last = get(workspace_id, after) if after else None
    if last is not None:
        behind = Q(flow__isnull=last.flow_id is None, slug__gt=last.slug)
        found = found.filter(behind | Q(flow__isnull=False) if last.flow_id is None else behind)
    channels = list(found.order_by(_IS_PRIVATE, "slug")[: limit + 1])
    return channels[:limit], len(channels) > limit


def get(workspace_id: int, slug: str) -> Channel | None:
    """The channel of that slug as it is now, with its flow."""
    return of_workspace(workspace_id).filter(slug=slug).first()


def get_by_id(workspace_id: int, channel_id: int) -> Channel | None:
    """The channel of that id, if it belongs to the workspace."""
    return of_workspace(workspace_id).filter(pk=channel_id).first()


def keyed_slugs(workspace_id: int) -> tuple[str, ...]:
    """The slugs of the channels with a key expression."""
    found = of_workspace(workspace_id).exclude(key_expression="")
    return tuple(found.values_list("slug", flat=True))


def shared_slugs(workspace_id: int) -> tuple[str, ...]:
    """The slugs of the channels that are nobody's inbox, in order."""
    return tuple(of_workspace(workspace_id).filter(flow=None).values_list("slug", flat=True))


def used_by(flow_id: int, limit: int) -> list[Channel]:
    """The first channels with events that the flow reads or has read."""
    heads = Head.objects.filter(channel__subscription__flow_id=flow_id, head__gt=0)
    return list(Channel.objects.filter(pk__in=heads.values("channel_id")).order_by("pk")[:limit])


def slugs(workspace_id: int) -> dict[int, str]:
    """Channel id -> slug, for all of a workspace."""
    return dict(Channel.objects.filter(workspace_id=workspace_id).values_list("pk", "slug"))


def ensure(workspace_id: int, slug: str) -> ChannelRow:
    """The channel of that slug, made when it is missing."""
    found = find(workspace_id, slug)
    if found is None:
        create(workspace_id, slug, name=slug)
        found = find(workspace_id, slug)
    assert found is not None
    return found


def inbox_slug(flow: str, node: str) -> str:
    """The slug of a producer's private inbox; the dot keeps it apart from people's slugs."""
    return f"{flow}.{node}"
