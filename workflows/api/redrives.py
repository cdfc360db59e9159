"""Runs over dead letters: redrive or discard many, see how it goes, stop it."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from workflows.api.auth import OPERATE, READ_TRACES, Caller
from workflows.api.base import ApiView, newest_first, shown
from workflows.api.deadshapes import Choice, CountShape, RedriveChoice, RedriveShape
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.models import Redrive
from workflows.storage import people, redrives
from workflows.storage.deadgroups import Wanted
from workflows.tasks.redrive import ask
from workflows.traces.rows import moment

_FILTERS = ("flow", "node", "kind", "fingerprint", "text")
_SAY_WHICH = 'Say which letters: "ids", a filter, or "all": true for every open one.'
_TOO_MANY = f"The filter leaves more than {redrives.MOST_GROUPS:,} groups: narrow it."


def name_of(caller: Caller, request: Request) -> str:
    """Who asks, as people know them."""
    if caller.token is not None:
        return f"token {people.token_name(caller.token.id)}"
    return str(request.user.get_username())


def begin(caller: Caller, request: Request, order: redrives.Order) -> Redrive:
    """Write the run down and let the workers know. Raises a 422 for one that is too wide."""
    try:
        run = redrives.start(caller.workspace_id, name_of(caller, request), order)
    except redrives.TooMany:
        raise Problem(422, _TOO_MANY) from None
    ask([run.pk])
    return run


def _row(run: Redrive) -> dict[str, Any]:
    wanted = dict(run.wanted)
    if "since" in wanted:
        wanted["since"] = moment(wanted["since"])
    return {
        "id": run.pk,
        "act": run.act,
        "by": run.by,
        "filter": wanted,
        "version": "failed" if run.as_failed else "published",
        "rate": run.rate or None,
        "stop_on_error": run.stop_after or None,
        "state": run.state,
        "says": run.says,
        "total": run.total,
        "done": run.done,
        "ok": run.ok,
        "failed": run.failed,
        "skipped": run.skipped,
        "begun_at": moment(run.begun_at),
        "ended_at": None if run.ended_at is None else moment(run.ended_at),
    }


def _find(view: ApiView, number: int) -> Redrive:
    run = redrives.find(view.caller.workspace_id, number)
    if run is None:
        raise Problem(404, f"There is no run {number} over dead letters in this workspace.")
    return run


def _answer(view: ApiView, request: Request, act: str, shape: type[Serializer[Any]]) -> Response:
    """Count the letters, or begin the run."""
    body = read_body(request, shape)
    filters = {name: body[name] for name in _FILTERS if body.get(name)}
    if body.get("since"):
        filters["since"] = body["since"].timestamp()
    letters = tuple(body.get("ids") or ())
    if not (letters or filters or body.get("all")):
        raise ValidationError(_SAY_WHICH)
    if letters and filters:
        raise ValidationError("Say either ids or a filter.")
    if "flow" in filters:
        view.flow(filters["flow"])
    wanted = Wanted(**filters)
    if body.get("dry_run"):
        found = redrives.count(view.caller.workspace_id, wanted, letters)
        return Response(shown(CountShape, found._asdict()))
    order = redrives.Order(
        wanted,
        letters,
        act,
        as_failed=body.get("version") == "failed",
        rate=body.get("rate", 0.0),
        stop_after=body.get("stop_on_error", 0),
    )
    return Response(shown(RedriveShape, _row(begin(view.caller, request, order))), status=202)


class RedriveList(ApiView):
    @operation("list_redrives", "List runs over dead letters", READ_TRACES, RedriveShape, page=True)
    def get(self, request: Request) -> Response:
        found = redrives.listed(self.caller.workspace_id)
        return newest_first(request, found, RedriveShape, _row)

    @operation(
        "redrive_dead_letters",
        "Run many dead letters again, each from the node where it died; or count them first",
        OPERATE,
        RedriveShape,
        status=202,
        body=RedriveChoice,
        also={422: "Nothing is chosen, or too much."},
    )
    def post(self, request: Request) -> Response:
        return _answer(self, request, "redrive", RedriveChoice)


class DiscardList(ApiView):
    @operation(
        "discard_dead_letters",
        "Close many dead letters without running them; or count them first",
        OPERATE,
        RedriveShape,
        status=202,
        body=Choice,
        also={422: "Nothing is chosen, or too much."},
    )
    def post(self, request: Request) -> Response:
        return _answer(self, request, "discard", Choice)


class OneRedrive(ApiView):
    @operation("read_redrive", "See how a run over dead letters goes", READ_TRACES, RedriveShape)
    def get(self, request: Request, number: int) -> Response:
        return Response(shown(RedriveShape, _row(_find(self, number))))


class CancelRedrive(ApiView):
    @operation(
        "cancel_redrive",
        "Take up no more letters; those that were run again go on",
        OPERATE,
        RedriveShape,
        also={409: "It isn't running."},
    )
    def post(self, request: Request, number: int) -> Response:
        _find(self, number)
        if not redrives.cancel(self.caller.workspace_id, number):
            raise Problem(409, "It isn't running any more.")
        return Response(shown(RedriveShape, _row(_find(self, number))))
