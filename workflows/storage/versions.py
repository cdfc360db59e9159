"""What was published under which number?"""

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet

from workflows.models import FlowVersion
from workflows.storage import keyset, runs
from workflows.storage.keyset import Beyond


def of_flow(flow_id: int) -> QuerySet[FlowVersion]:
    """A flow's versions, newest first, each with who published it. Drafts that a replay ran
    aren't among them."""
    found = FlowVersion.objects.filter(flow_id=flow_id, number__lt=runs.FIRST_TRIAL)
    return found.select_related("created_by").order_by("-number")


def page(flow_id: int, before: int | None, limit: int) -> list[FlowVersion]:
    """The newest versions of a flow below the number `before`, if given; newest first."""
    return keyset.page(of_flow(flow_id), "number", Beyond(before), limit, newest_first=True)[0]


def find(flow_id: int, number: int) -> FlowVersion | None:
    """What was published under that number, with who published it."""
    return of_flow(flow_id).filter(number=number).first()


def document(flow_id: int, number: int) -> dict[str, Any]:
    """What was published under that number; empty when nothing was."""
    found = FlowVersion.objects.filter(flow_id=flow_id, number=number)
    return dict(found.values_list("document", flat=True).first() or {})


def node_names(versions: Collection[tuple[int, int]]) -> dict[tuple[int, int], dict[str, str]]:
    """(flow id, number) -> node id -> its name. One query."""
    if not versions:
        return {}
    wanted = Q()
    for flow_id, number in versions:
        wanted |= Q(flow_id=flow_id, number=number)
    found = FlowVersion.objects.filter(wanted).values_list("flow_id", "number", "document")
    return {
        (flow_id, number): {
            str(node.get("id")): str(node.get("name") or node.get("id"))
            for node in document.get("nodes", [])
        }
        for flow_id, number, document in found
    }
