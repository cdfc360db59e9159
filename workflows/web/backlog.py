"""What is still to be done, why isn't it, and what helps? Of a flow, and of a channel's readers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows.models import Flow
from workflows.storage import backlogs, channels, dbclock
from workflows.storage.backlogs import ReaderBacklog, Wait
from workflows.web.access import NOT_HERE, Here, flow_or_404, member
from workflows.web.context import Crumb, flow_page, page, part, wants

_WORDS = {
    "retry": ("held", "Waits for another attempt"),
    "down": ("failed", "Destination is down"),
    "limit": ("held", "Kept back by a limit"),
    "turn": ("held", "Waits for its turn"),
    "under_way": ("running", "Being called"),
    "worker": ("queued", "Ready to go"),
    "held": ("held", "Held by the node"),
}
_NEARLY_FULL = 0.8  # of a channel's lag limit


class Link(NamedTuple):
    """What helps."""

    text: str
    url: str


class Unread(NamedTuple):
    """A flow's producer with what it has still to take."""

    flow: str
    flow_slug: str
    node: str
    channel: str
    lag: int
    oldest: datetime | None
    expired: int
    state: str  # for colour and icon
    says: str
    more: str
    help: Link | None


class Waiting(NamedTuple):
    """So many that wait at a node for the same reason."""

    node: str
    n: int
    state: str
    word: str
    oldest: datetime
    goes_on: datetime | None
    destination: str
    says: str
    help: Link | None


@require_GET
@member("viewer")
def of_flow(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """What the flow has still to take, and what it has taken that waits."""
    flow = flow_or_404(here, slug)
    names = _names(flow)
    readers = backlogs.readers(flow.pk)
    parked = backlogs.nodes(flow)
    rate = backlogs.rate(flow.pk)
    lag = sum(reader.lag for reader in readers)
    stands = flow.paused or any(reader.waits_for for reader in readers)
    context = {
        "flow": flow,
        "unread": [_unread(here, flow, names.get(one.node, one.node), one) for one in readers],
        "waiting": [
            _waiting(here, flow, names.get(node.node, node.node), wait)
            for node in parked.nodes
            for wait in node.waits
        ],
        "is_whole": parked.is_whole,
        "looked_at": backlogs.MOST_ROWS,
        "rate": rate,
        "left": _span(lag / rate) if lag and rate and not stands else "",
    }
    if wants(request, "rows"):
        return part(request, here, "workflows/flows/backlog.html", "rows", context)
    return flow_page(request, here, flow, "backlog", "Backlog", context)


@require_GET
@member("viewer")
def of_channel(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """How far behind each reader of a channel is, and why."""
    channel = channels.get(here.workspace_id, slug)
    if channel is None:
        raise Http404(NOT_HERE)
    unread = [
        _unread(here, flow, _names(flow).get(one.node, one.node), one)
        for flow, one in backlogs.of_channel(channel)
    ]
    context = {"channel": channel, "unread": unread}
    template = "workflows/channels/backlog.html"
    if wants(request, "rows"):
        return part(request, here, template, "rows", context)
    crumbs = [Crumb("Channels", reverse("channels", args=[here.workspace])), Crumb(slug)]
    return page(request, here, template, context, section="channels", crumbs=crumbs)


def _names(flow: Flow) -> dict[str, str]:
    nodes = flow.published.document["nodes"] if flow.published else ()
    return {node["id"]: node.get("name") or node["id"] for node in nodes}


def _unread(here: Here, flow: Flow, name: str, one: ReaderBacklog) -> Unread:
    state, says, link = "queued", "Being taken", None
    more = [f"{one.expired:,} expired unread"] if one.expired else []
    share = one.lag / one.lag_limit
    if not one.lag:
        state, says = "ok", "Nothing unread"
    elif flow.paused:
        state, says = "paused", "The flow is paused"
        link = Link("Go to the flow", reverse("flow", args=[here.workspace, flow.slug]))
    elif one.waits_for:
        state, says = "held", f"Waits until {one.waits_for} has room"
        url = reverse("channel_backlog", args=[here.workspace, one.waits_for])
        link = Link(f"See who reads {one.waits_for}", url)
    if share >= _NEARLY_FULL:
        meant = "senders are refused" if one.lag_policy == "block" else "the oldest expire"
        more.append(f"{share:.0%} of the limit of {one.lag_limit:,}: past that, {meant}")
        state = "failed" if share >= 1 and not flow.paused else state
        if link is None and here.can_edit:
            url = reverse("channel", args=[here.workspace, one.channel])
            link = Link("Change the limit", url)
    return Unread(
        flow.name,
        flow.slug,
        name,
        one.channel,
        one.lag,
        _moment(one.oldest),
        one.expired,
        state,
        says,
        " · ".join(more),
        link,
    )


def _waiting(here: Here, flow: Flow, name: str, wait: Wait) -> Waiting:
    state, word = _WORDS[wait.why]
    is_due = wait.goes_on is not None and wait.goes_on <= dbclock.now()
    says = ["The next one tries it now"] if is_due and wait.why == "down" else []
    says += [wait.says] if wait.says else []
    return Waiting(
        name,
        wait.n,
        state,
        word,
        datetime.fromtimestamp(wait.oldest, UTC),
        None if is_due else _moment(wait.goes_on),
        wait.destination,
        " · ".join(says),
        _help(here, flow, wait),
    )


def _help(here: Here, flow: Flow, wait: Wait) -> Link | None:
    found: dict[str, tuple[str, str, Sequence[str]]] = {
        "down": ("See destinations", "destinations", ()),
        "limit": ("See limits", "destinations", ()),
        "turn": ("See who blocks whom", "lanes", (flow.slug,)),
        "worker": ("See workers", "health", ()),
    }
    if wait.why not in found:
        return None
    text, name, args = found[wait.why]
    return Link(text, reverse(name, args=[here.workspace, *args]))


def _span(minutes: float) -> str:
    """How long it takes, roughly."""
    if minutes < 1:
        return "less than a minute"
    for unit, size in (("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            n = round(minutes / size)
            return f"about {n:,} {unit}{'s' if n != 1 else ''}"
    raise AssertionError("one minute is the least")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
