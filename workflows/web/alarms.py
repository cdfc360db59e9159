"""Alarms: what the flow's page says of them, and that somebody knows."""

from datetime import UTC, datetime
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from workflows.storage import alarms
from workflows.web.access import Here, flow_or_404, member

_SHOWN = 3


class Line(NamedTuple):
    """An alarm as the banner shows it."""

    node: str
    kind: str
    difference: int
    says: str
    since: datetime
    is_open: bool


class Banner(NamedTuple):
    lines: list[Line]
    more: int  # alarms that aren't shown
    is_open: bool  # somebody has still to acknowledge one


def banner(flow_id: int) -> Banner | None:
    """The alarms that stand in a flow, those that nobody knows of first; None without any."""
    found = [
        Line(
            alarm.node,
            alarm.kind,
            alarm.difference,
            alarm.says,
            datetime.fromtimestamp(alarm.first_seen, UTC),
            alarm.state == "open",
        )
        for alarm in alarms.unresolved(flow_id)
    ]
    if not found:
        return None
    found.sort(key=lambda line: not line.is_open)
    return Banner(found[:_SHOWN], len(found[_SHOWN:]), found[0].is_open)


@require_POST
@member("operator")
def acknowledge(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """Note that somebody knows of all of a flow's alarms."""
    for alarm in alarms.unresolved(flow_or_404(here, slug).pk):
        alarms.acknowledge(here.workspace_id, alarm.pk, here.user_id)
    return redirect("flow", here.workspace, slug)
