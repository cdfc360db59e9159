"""How does a draft start to run, and how does one go back to an older version?"""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import EDIT, READ_FLOWS
from workflows.api.base import ApiView, newest_first, shown
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.api.shapes import PublishBody, PublishedShape, VersionShape, WholeVersionShape
from workflows.models import Flow, FlowVersion
from workflows.storage import flowrows, publishing, removals, versions

_UNREAD = {"finish": "Finish them on the version that runs now", "expire": "Expire them"}
_ALSO = {
    409: "Events would stay behind, unread or held: `field` and `choices` tell what to send.",
    422: "It can't run: `problems` tells why.",
}


def publish(
    flow: Flow, document: dict[str, Any], user_id: int | None, options: dict[str, Any]
) -> int:
    """The new version's number. Raises a 422 with all problems, or a 409 that offers choices."""
    try:
        return publishing.publish(flow, document, user_id=user_id, **options).number
    except publishing.Refused as refused:
        n = len(refused.problems)
        raise Problem(
            422,
            f"Not published: {n} {'problem' if n == 1 else 'problems'} to mend first.",
            problems=[msgspec.to_builtins(problem) for problem in refused.problems],
        ) from None
    except publishing.StillHeld as held:
        says = f"The new version lacks nodes that hold events ({_told(flow, held, 'at')})."
        raise _question(says, "Held events would stay behind", held, removals.CHOICES) from None
    except publishing.Unread as unread:
        left = _told(flow, unread, "before")
        says = f"The new version lacks producers that have unread events ({left})."
        raise _question(says, "Unread events would stay behind", unread, _UNREAD) from None


def _told(flow: Flow, left: publishing.Unread, where: str) -> str:
    """How many events are at which node, by its name in the version that runs."""
    nodes = flow.published.document["nodes"] if flow.published else ()
    names = {node["id"]: node.get("name") for node in nodes}
    return ", ".join(f"{n:,} {where} “{names.get(node) or node}”" for node, n in left.nodes.items())


def _question(
    says: str, title: str, left: publishing.Unread, choices: Mapping[str, str]
) -> Problem:
    more: dict[str, Any] = {left.field: left.nodes}
    return Problem(
        409,
        f"{says} Say what becomes of them.",
        title=title,
        field=left.field,
        choices=[{"value": value, "label": label} for value, label in choices.items()],
        **more,
    )


class Publish(ApiView):
    @operation(
        "publish_flow", "Let a flow's draft run", EDIT, PublishedShape, body=PublishBody, also=_ALSO
    )
    def post(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        options = read_body(request, PublishBody)
        document = flowrows.draft(flow).document
        return Response({"number": publish(flow, document, self.caller.user_id, options)})


def _row(version: FlowVersion, flow: Flow) -> dict[str, Any]:
    return {
        "number": version.number,
        "note": version.note,
        "created_at": version.created_at,
        "created_by": version.created_by.get_username() if version.created_by else None,
        "running": version.pk == flow.published_id,
    }


def version_of(flow: Flow, number: int) -> FlowVersion:
    """The version of that number. Raises a 404."""
    version = versions.find(flow.pk, number)
    if version is None:
        raise Problem(404, f"The flow {flow.slug} has no version {number}.")
    return version


class VersionList(ApiView):
    @operation(
        "list_versions", "List a flow's versions, newest first", READ_FLOWS, VersionShape, page=True
    )
    def get(self, request: Request, slug: str) -> Response:
        flow = self.flow(slug)
        found = versions.of_flow(flow.pk).defer("document")

        return newest_first(request, found, VersionShape, lambda one: _row(one, flow), "number")


class OneVersion(ApiView):
    @operation("read_version", "Read a version with its document", READ_FLOWS, WholeVersionShape)
    def get(self, request: Request, slug: str, number: int) -> Response:
        flow = self.flow(slug)
        version = version_of(flow, number)
        return Response(
            shown(WholeVersionShape, {**_row(version, flow), "document": version.document})
        )


class PublishVersion(ApiView):
    @operation(
        "publish_version",
        "Let an older version run again, as a new one; the draft stays as it is",
        EDIT,
        PublishedShape,
        body=PublishBody,
        also=_ALSO,
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        flow = self.flow(slug)
        version = version_of(flow, number)
        options = {"note": f"Version {number} again", **read_body(request, PublishBody)}
        return Response({"number": publish(flow, version.document, self.caller.user_id, options)})
