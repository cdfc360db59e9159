"""What do all views of the API have in common? Who may, what they may ask, and JSON both ways."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from workflows.api.auth import Caller
from workflows.api.paging import listed
from workflows.api.problems import NOT_THERE, Problem
from workflows.api.reading import AlwaysJson, JsonBody, check_query
from workflows.api.schema import Told, ViewSchema, told_of
from workflows.models import Channel, Flow
from workflows.storage import channels, flowrows


def shown(shape: type[Serializer[Any]], thing: Any) -> Any:
    """A thing, or a list of them, with the fields of `shape` and no others."""
    return shape(thing, many=isinstance(thing, list)).data


def newest_first(
    request: Request,
    found: QuerySet[Any],
    shape: type[Serializer[Any]],
    row: Callable[[Any], Any],
    by: str = "id",
) -> Response:
    """The answer for a page of `found`, the newest first, each as `row` tells it in `shape`; `by`
    is the number that grows with each."""

    def rows(page: list[Any]) -> Any:
        return shown(shape, [row(one) for one in page])

    return listed(request, found, by, rows, newest_first=True)


class ApiView(APIView):
    """A view whose methods are described by `operation`."""

    anywhere: ClassVar[bool] = False  # needs no workspace
    parser_classes: tuple[type[BaseParser], ...] = (JsonBody,)
    content_negotiation_class = AlwaysJson
    http_method_names = ("get", "head", "post", "put", "patch", "delete")
    schema = ViewSchema()
    caller: Caller

    @property
    def told(self) -> Told | None:
        """What the called method says of itself; None when there is no such method."""
        return told_of(self, str(self.request.method))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, str) and "\0" in value for value in kwargs.values()):
            raise Problem(404, NOT_THERE)
        check_query(request, (*(self.told.params if self.told else ()), "workspace"))

    def asked(self, name: str) -> str:
        """A query parameter; "" when it isn't there."""
        return str(self.request.query_params.get(name, ""))

    def flow(self, slug: str) -> Flow:
        """The caller's flow of that slug. Raises a 404."""
        found = flowrows.find(self.caller.workspace_id, slug)
        if found is None:
            raise Problem(404, f"There is no flow {slug[:60]!r} in this workspace.")
        return found

    def channel(self, slug: str) -> Channel:
        """The caller's channel of that slug. Raises a 404."""
        found = channels.get(self.caller.workspace_id, slug)
        if found is None:
            raise Problem(404, f"There is no channel {slug[:60]!r} in this workspace.")
        return found


class Nothing(ApiView):
    """Every address under /api/ that isn't one."""

    authentication_classes = ()
    permission_classes = ()
    schema = None  # type: ignore[assignment]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        hint = " Addresses have no slash at the end." if request.path.endswith("/") else ""
        raise Problem(404, NOT_THERE + hint)
