"""How did a shadow run turn out, all in all? Its differences, and groups of what is alike."""

from typing import NamedTuple

from django.db.models import Count, Max, QuerySet

from workflows.models import Difference, Replay

VERDICTS = ("same", "content", "different", "new")
_GROUPS = 100


class Group(NamedTuple):
    """Events that first differ at the same node in the same way."""

    kind: str
    node: str
    live: str
    shadow: str
    events: int
    newest: Difference


def counts(replay: Replay) -> dict[str, int]:
    """Verdict -> events; `open` are those that haven't ended, here or live. `assumed` counts those
    of them with an effect that no recorded reply could answer."""
    known = {name: int(replay.outcomes.get(name, 0)) for name in (*VERDICTS, "assumed")}
    known["open"] = max(0, replay.done - sum(known[name] for name in VERDICTS))
    return known


def groups(replay: Replay) -> list[Group]:
    """The largest groups first. Two queries."""
    alike = ("kind", "node", "live", "shadow")
    found = (
        Difference.objects.filter(replay=replay)
        .values(*alike)
        .annotate(events=Count("id"), newest=Max("id"))
        .order_by("-events", "-newest")[:_GROUPS]
    )
    rows = list(found)
    newest = Difference.objects.in_bulk([row["newest"] for row in rows])
    return [
        Group(**{**row, "newest": newest[row["newest"]]}) for row in rows if row["newest"] in newest
    ]


def listed(replay: Replay, kind: str = "", node: str = "") -> QuerySet[Difference]:
    """The events that ended differently, or those of one kind or node."""
    found = Difference.objects.filter(replay=replay)
    if kind:
        found = found.filter(kind=kind)
    if node:
        found = found.filter(node=node)
    return found
