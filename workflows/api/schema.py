"""How does the API describe itself? As OpenAPI, made from the views, and with the hooks' door."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from django.http import HttpResponse
from django.utils.html import format_html
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request

from workflows.api.auth import Need
from workflows.api.paging import MOST, USUAL, page_shape
from workflows.api.problems import CONTENT_TYPE
from workflows.api.reading import AlwaysJson
from workflows.api.runshapes import ProblemShape

_HOOK: dict[str, Any] = {
    "operationId": "receive_hook",
    "summary": "Receive a webhook",
    "description": "The address of an HTTP producer; what is sent becomes one event.",
    "tags": ["hooks"],
    "security": [{}],
    "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
    "requestBody": {"content": {"*/*": {"schema": {}}}},
    "responses": {
        "202": {
            "description": "Stored.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
        },
        "default": {
            "description": "Any error.",
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
    },
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · eventflow</title>
<link rel="stylesheet" href="{}">
<link rel="icon" href="{}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{}"></script>
<script src="/api/docs?script"></script>
</body>
</html>
"""
View = TypeVar("View", bound=Callable[..., Any])
_WORKSPACE = "Its slug, for people (a token implies its workspace); `main` by default."
_PAGING = {
    "limit": f"Rows of a page, {USUAL} by default and {MOST} at most.",
    "cursor": "Where the page begins: follow `next` and `previous`.",
}


class Told(NamedTuple):
    """What a view's method says of itself."""

    need: Need
    params: Mapping[str, str]  # its query parameters, and what each one is for


def operation(
    name: str,
    summary: str,
    need: Need,
    answer: Any = None,
    *,
    status: int = 200,
    body: Any = None,
    page: bool = False,
    params: Mapping[str, str] | None = None,
    also: Mapping[int, str] | None = None,
) -> Callable[[View], View]:
    """Says of a view's method who may call it, what it takes and what it answers.

    `page`: it answers pages of `answer`. `also`: other status codes, problems from 400 on.
    """
    responses: dict[Any, Any] = {status: page_shape(answer) if page else answer}
    for code, says in (also or {}).items():
        if code < 400:
            responses[code] = OpenApiResponse(answer, says)
        else:
            responses[code, CONTENT_TYPE] = OpenApiResponse(ProblemShape, says)
    responses["default", CONTENT_TYPE] = OpenApiResponse(ProblemShape, "Any error.")
    describe = extend_schema(operation_id=name, summary=summary, request=body, responses=responses)
    told = Told(need, {**(params or {}), **(_PAGING if page else {})})

    def decorate(method: View) -> View:
        described: Any = describe(method)
        described.told = told
        return cast(View, described)

    return decorate


def told_of(view: Any, method: str) -> Told | None:
    """What the view's method says of itself; None when there is no such method."""
    return getattr(getattr(view, method.lower(), None), "told", None)


class ViewSchema(AutoSchema):
    """Tells what `operation` says, groups by resource, and keeps our class names to ourselves."""

    def get_description(self) -> str:  # type: ignore[override]
        return ""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name: str = super().get_serializer_name(serializer, direction)
        return name.removesuffix("Shape")

    def get_override_parameters(self) -> list[Any]:
        told = told_of(self.view, self.method)
        params = dict(told.params) if told else {}
        if not getattr(self.view, "anywhere", False):
            params["workspace"] = _WORKSPACE
        return [
            OpenApiParameter(name, int if name == "limit" else str, description=says)
            for name, says in params.items()
        ]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "workflows.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token: `ef_…`."}


class Generator(SchemaGenerator):
    """Adds the door for webhooks, which isn't a view: its requests never reach Django."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        schema: dict[str, Any] = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        schema["paths"]["/hooks/{key}"] = {"post": _HOOK}
        return schema


class SchemaView(SpectacularJSONAPIView):
    """`/api/v1/schema`: open to all, since it says nothing about anybody's data."""

    authentication_classes = ()
    renderer_classes = [OpenApiJsonRenderer2]  # noqa: RUF012
    content_negotiation_class = AlwaysJson
    metadata_class = None
    generator_class = Generator


class DocsView(SpectacularSwaggerSplitView):
    """`/api/docs`: the schema as a page that can send requests.

    The package's own page has a style in it, which our content security policy refuses.
    """

    authentication_classes = ()
    metadata_class = None

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        if "script" in request.query_params:
            return super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        files = ("swagger-ui.css", "favicon-32x32.png", "swagger-ui-bundle.js")
        return HttpResponse(format_html(_PAGE, *map(self._swagger_ui_resource, files)))
