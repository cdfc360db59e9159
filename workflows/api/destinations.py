"""Destinations: whom flows call, how fast they may, and what is down."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import OPERATE, READ_FLOWS
from workflows.api.base import ApiView, shown
from workflows.api.paging import page_of_few
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.engine.limits import Limits
from workflows.storage import destinations
from workflows.storage.destinations import Destination
from workflows.tasks.waker import ask_to_fire
from workflows.traces.rows import moment

_MOMENT = "RFC 3339, UTC."
_NAME = "Scheme, host and port as in https://api.example.org, celery:<connection>, or mail."


class DestinationShape(serializers.Serializer[Any]):
    destination = serializers.CharField(help_text=_NAME)
    state = serializers.CharField(
        help_text="closed: it is called as usual; open: it failed again and again and is left"
        " alone, but for single calls that try it."
    )
    at_once = serializers.IntegerField(help_text="Calls at the same time; 0 means no limit.")
    per_second = serializers.FloatField(help_text="Calls a second; 0 means no limit.")
    opened_at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    retry_at = serializers.CharField(
        allow_null=True, help_text=f"When a call may try it again. {_MOMENT}"
    )
    error = serializers.CharField(allow_null=True, help_text="Why the last try failed.")
    waiting = serializers.IntegerField(
        help_text="Calls that wait; at least so many, from"
        f" {destinations.MOST_COUNTED:,} in the workspace on."
    )


class Named(serializers.Serializer[Any]):
    destination = serializers.CharField(max_length=200, help_text=_NAME)


class NewLimits(Named):
    at_once = serializers.IntegerField(min_value=0, max_value=1_000, default=0)
    per_second = serializers.FloatField(min_value=0.0, max_value=10_000.0, default=0.0)


def _row(one: Destination) -> dict[str, Any]:
    is_open = one.opened_at is not None
    return {
        **one._asdict(),
        "state": "open" if is_open else "closed",
        "opened_at": None if one.opened_at is None else moment(one.opened_at),
        "retry_at": moment(one.retry_at) if is_open else None,
        "error": one.error or None,
    }


def _answer(view: ApiView, name: str) -> Response:
    found = destinations.find(view.caller.workspace_id, name)
    return Response(shown(DestinationShape, _row(found)))


class DestinationList(ApiView):
    @operation(
        "list_destinations",
        "List destinations that have limits, are down, or have calls waiting for them",
        READ_FLOWS,
        DestinationShape,
        page=True,
    )
    def get(self, request: Request) -> Response:
        found = destinations.of_workspace(self.caller.workspace_id).destinations
        return page_of_few(request, [_row(one) for one in found], "destination", DestinationShape)

    @operation(
        "limit_destination",
        "Limit all that the workspace sends to a destination, over all of its flows",
        OPERATE,
        DestinationShape,
        body=NewLimits,
    )
    def put(self, request: Request) -> Response:
        body = read_body(request, NewLimits)
        name = destinations.normal(body["destination"])
        if name is None:
            raise Problem(422, f"This isn't the name of a destination: {_NAME}")
        limits = Limits(at_once=body["at_once"], per_second=body["per_second"])
        destinations.limit(self.caller.workspace_id, name, limits)
        return _answer(self, name)


class TryDestination(ApiView):
    @operation(
        "try_destination",
        "Let a call try a destination that is down now; when it is answered, the others follow",
        OPERATE,
        DestinationShape,
        body=Named,
        also={409: "It isn't down."},
    )
    def post(self, request: Request) -> Response:
        name = read_body(request, Named)["destination"]
        if not destinations.try_now(self.caller.workspace_id, name):
            raise Problem(409, "It isn't down: calls go out to it as usual.")
        ask_to_fire()
        return _answer(self, name)
