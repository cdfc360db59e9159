"""How are flows kept, paused and deleted?"""

from typing import Any

from django.db import transaction

from workflows.engine.compile import compile_flow
from workflows.engine.flowfile import diff, normalise
from workflows.engine.plan import Plan
from workflows.engine.problems import Problem
from workflows.models import (
    Connection,
    Draft,
    Flow,
    FlowClock,
    Subscription,
)
from workflows.nodes.registry import node_types
from workflows.storage import channels, cursors, indexed, sql

Document = dict[str, Any]


class Changed(Exception):
    """Somebody else has saved the draft since."""


def empty_document(slug: str, name: str) -> Document:
    """A new flow's draft."""
    return normalise(
        {"format": "eventflow/1", "slug": slug, "name": name, "nodes": [], "wires": []}
    )


@transaction.atomic
def create(workspace_id: int, slug: str, name: str, document: Document | None = None) -> Flow:
    """A new flow with a draft. Raises IntegrityError when the slug is taken."""
    document = dict(document or empty_document(slug, name), slug=slug, name=name)
    flow = Flow.objects.create(
        workspace_id=workspace_id,
        slug=slug,
        name=name,
        description=str(document.get("description", ""))[:10_000],
    )
    Draft.objects.create(flow=flow, document=normalise(document))
    FlowClock.objects.create(flow=flow)
    return flow


def import_document(workspace_id: int, document: Document, user_id: int | None = None) -> Flow:
    """Make the flow that a file describes, or replace the draft of the one it names."""
    slug = str(document["slug"])
    flow = Flow.objects.filter(workspace_id=workspace_id, slug=slug).first()
    if flow is None:
        return create(workspace_id, slug, str(document.get("name") or slug)[:120], document)
    revision = Draft.objects.values_list("revision", flat=True).get(flow=flow)
    save_draft(flow, document, revision, user_id)
    return flow


def draft_document(workspace_id: int, slug: str) -> Document | None:
    """A flow's draft, or None when there is no such flow."""
    draft = Draft.objects.filter(flow__workspace_id=workspace_id, flow__slug=slug).first()
    return None if draft is None else normalise(draft.document)


def save_draft(flow: Flow, document: Document, revision: int, user_id: int | None) -> int:
    """Replace the draft if it still has `revision`; the new revision. Raises `Changed`."""
    document = normalise(dict(document, slug=flow.slug))
    with transaction.atomic():
        saved = Draft.objects.filter(flow=flow, revision=revision).update(
            document=document, revision=revision + 1, updated_by_id=user_id
        )
        if not saved:
            raise Changed
        name = str(document.get("name") or flow.name)[:120]
        description = str(document.get("description", ""))[:10_000]
        if (name, description) != (flow.name, flow.description):
            flow.name, flow.description = name, description
            flow.save(update_fields=["name", "description"])
    return revision + 1


def check(flow: Flow, document: Document, number: int = 0) -> tuple[Plan | None, list[Problem]]:
    """Compile a document as it would run in this flow's workspace."""
    return compile_flow(
        document,
        node_types(),
        workspace=flow.workspace.slug,
        flow=flow.slug,
        version=number,
        connections=set(
            Connection.objects.filter(workspace_id=flow.workspace_id).values_list("name", flat=True)
        ),
        keyed=channels.keyed_slugs(flow.workspace_id),
    )


def set_paused(flow: Flow, paused: bool) -> None:
    """Pause holds everything where it is; resume goes on. A drain under way is fenced, unless it
    acts before it commits."""
    with transaction.atomic():
        Flow.objects.filter(pk=flow.pk).update(paused=paused)
        cursors.fence(list(Subscription.objects.filter(flow=flow).values_list("pk", flat=True)))
    flow.paused = paused


_OF_FLOW = (
    "workflows_trace",
    "workflows_segment",
    "workflows_counter",
    "workflows_minute",
    "workflows_nodestate",
    "workflows_memory",
    "workflows_effect",
    "workflows_held",
)
_OF_CHANNEL = ("workflows_event", "workflows_seen", "workflows_answer")


def delete(flow: Flow) -> None:
    """Remove a flow with its inboxes and all that it left behind. Shared channels stay."""
    with transaction.atomic():
        for table in _OF_FLOW:
            sql.execute(f"DELETE FROM {table} WHERE flow_id = %s", (flow.pk,))
        for table in _OF_CHANNEL:
            sql.execute(
                f"DELETE FROM {table} WHERE channel_id IN"
                " (SELECT id FROM workflows_channel WHERE flow_id = %s)",
                (flow.pk,),
            )
        indexed.drop("SELECT id FROM workflows_channel WHERE flow_id = %s", (flow.pk,))
        Flow.objects.filter(pk=flow.pk).update(published=None)
        flow.delete()
    channels.forget()


def changes_since_published(flow: Flow, draft: Document) -> int:
    """How many lines of difference there are between the draft and what runs."""
    if flow.published is None:
        return 0
    return len(diff(flow.published.document, draft))
