"""Which flows are there, and what is drawn in them?"""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from workflows.models import Draft, Flow
from workflows.storage import sql


def flow_id_of(workspace_id: int, slug: str) -> int | None:
    rows = sql.fetch(
        "SELECT id FROM workflows_flow WHERE workspace_id = %s AND slug = %s", (workspace_id, slug)
    )
    return int(rows[0][0]) if rows else None


def find(workspace_id: int, slug: str) -> Flow | None:
    """The flow of that slug, with its workspace and its published version."""
    found = Flow.objects.select_related("workspace", "published")
    return found.filter(workspace_id=workspace_id, slug=slug).first()


def by_ids(workspace_id: int, flow_ids: Collection[int]) -> dict[int, Flow]:
    """Flow id -> flow, for those that belong to the workspace. One query."""
    return Flow.objects.filter(workspace_id=workspace_id).in_bulk(flow_ids)


def draft(flow: Flow) -> Draft:
    """What is drawn in the flow now; every flow has a draft."""
    return Draft.objects.get(flow=flow)


def of_workspace(workspace_id: int) -> QuerySet[Flow]:
    """All flows of a workspace by name, each with its published version, but not the document."""
    found = Flow.objects.filter(workspace_id=workspace_id)
    return found.select_related("published").defer("published__document").order_by("name", "id")


def choices(workspace_id: int) -> list[Flow]:
    """All flows of a workspace by name, with nothing but their names and slugs."""
    found = Flow.objects.filter(workspace_id=workspace_id)
    return list(found.only("name", "slug").order_by("name", "id"))


def page(workspace_id: int, text: str, after: str, limit: int) -> tuple[list[Flow], bool]:
    """The flows that have the text in their name or slug, by name, from behind the one with the
    slug `after` (if there is one) on; and whether more follow."""
    found = of_workspace(workspace_id)
    if text:
        found = found.filter(_named(text))
    last = Flow.objects.filter(workspace_id=workspace_id, slug=after).first() if after else None
    if last is not None:
        found = found.filter(Q(name__gt=last.name) | Q(name=last.name, pk__gt=last.pk))
    flows = list(found[: limit + 1])
    return flows[:limit], len(flows) > limit


def slugs(workspace_id: int) -> dict[int, str]:
    """Flow id -> slug, for all of a workspace."""
    return dict(Flow.objects.filter(workspace_id=workspace_id).values_list("pk", "slug"))


def named(workspace_id: int, text: str, limit: int) -> list[Flow]:
    """The flows that have the text in their name or slug."""
    return page(workspace_id, text, "", limit)[0]


def _named(text: str) -> Q:
    return Q(name__icontains=text) | Q(slug__icontains=text)
