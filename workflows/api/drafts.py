"""Drafts and flow files: what people draw, saved so that nobody undoes another's work."""

from typing import Any

import msgspec
import orjson
from django.db import IntegrityError
from django.http import HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import EDIT, READ_FLOWS
from workflows.api.base import ApiView
from workflows.api.problems import Problem
from workflows.api.publishing import publish, version_of
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.api.shapes import DraftBody, DraftShape, ImportedShape, SavedShape
from workflows.engine import flowfile, names
from workflows.engine.describe import describe
from workflows.models import Flow
from workflows.nodes.registry import node_types
from workflows.storage import flowrows, flows


def etag(revision: int) -> str:
    return f'"{revision}"'


def _checked(document: Any) -> dict[str, Any]:
    """A document that came in, normalised. Raises a 422 when it isn't a flow file."""
    try:
        return flowfile.loads(orjson.dumps(document).decode())
    except flowfile.FlowFileError as error:
        errors = [{"field": "document", "says": error.says}]
        raise Problem(422, error.says, errors=errors) from None


def _view(flow: Flow, document: dict[str, Any], revision: int) -> dict[str, Any]:
    _, problems = flows.check(flow, document)
    return {
        "revision": revision,
        "problems": [msgspec.to_builtins(problem) for problem in problems],
        "nodes": describe(document, node_types()),
        "changes": flows.changes_since_published(flow, document),
    }


class DraftView(ApiView):
    @operation(
        "read_draft", "Read a flow's draft; its ETag is the revision", READ_FLOWS, DraftShape
    )
    def get(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        draft = flowrows.draft(flow)
        document = flowfile.normalise(draft.document)
        body = {"document": document, **_view(flow, document, draft.revision)}
        return Response(body, headers={"ETag": etag(draft.revision)})

    @operation(
        "save_draft",
        "Replace a flow's draft; needs If-Match with the revision you have seen",
        EDIT,
        SavedShape,
        body=DraftBody,
        also={
            412: "Somebody saved in between: `revision` and `document` are what is there now.",
            428: "There is no If-Match.",
        },
    )
    def put(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        match = request.headers.get("If-Match")
        if match is None:
            raise Problem(428, 'Send the ETag of the draft you have changed: If-Match: "12".')
        document = _checked(read_body(request, DraftBody)["document"])
        revision = flowrows.draft(flow).revision
        wanted = parse_etags(match)
        if wanted != ["*"] and etag(revision) not in wanted:
            raise self._stale(flow)
        try:
            revision = flows.save_draft(flow, document, revision, self.caller.user_id)
        except flows.Changed:
            raise self._stale(flow) from None
        document = flowfile.normalise({**document, "slug": flow.slug})
        return Response(_view(flow, document, revision), headers={"ETag": etag(revision)})

    def _stale(self, flow: Flow) -> Problem:
        draft = flowrows.draft(flow)
        return Problem(
            412,
            f"Somebody has saved revision {draft.revision} since: bring your changes together.",
            {"ETag": etag(draft.revision)},
            revision=draft.revision,
            document=flowfile.normalise(draft.document),
        )


class Export(ApiView):
    @operation(
        "export_flow",
        "Download a flow as a file",
        READ_FLOWS,
        OpenApiTypes.OBJECT,
        params={"version": "A published version's number; the draft by default."},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        flow = self.flow(slug)
        text = self.asked("version")
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Problem(400, "?version= is the number of a version.")
        kept = version_of(flow, int(text)) if text else flowrows.draft(flow)
        name = f"{flow.slug}.json"
        return HttpResponse(
            flowfile.dumps(kept.document),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


class Import(ApiView):
    @operation(
        "import_flow",
        "Make a flow from a file, or replace the draft of the one it names",
        EDIT,
        ImportedShape,
        body=OpenApiTypes.OBJECT,
        also={409: "Unread events would stay behind; the draft is imported."},
        params={"publish": "`true` lets it run at once."},
    )
    def post(self, request: Request) -> Response:
        wanted = self.asked("publish").lower()
        if wanted not in ("", "0", "1", "false", "true"):
            raise Problem(400, "?publish= is true or false.")
        document = _checked(request.data)
        if says := names.flow_refusal(document["slug"]):
            raise ValidationError({"slug": [says]})
        try:
            flow = flows.import_document(self.caller.workspace_id, document, self.caller.user_id)
        except (flows.Changed, IntegrityError):
            raise Problem(409, "Somebody changed the flow in this moment: try again.") from None
        number = None
        if wanted in ("1", "true"):
            saved = flows.draft_document(self.caller.workspace_id, flow.slug)
            number = publish(self.flow(flow.slug), saved or document, self.caller.user_id, {})
        return Response({"slug": flow.slug, "number": number})
