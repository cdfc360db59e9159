"""Dead letters: what nobody could do, alone and in groups, and taking one up again."""

from datetime import datetime
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api import redrives as runs
from workflows.api.auth import OPERATE, READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.deadshapes import (
    DeadGroupShape,
    DeadLetterShape,
    RedriveOne,
    WholeDeadLetterShape,
)
from workflows.api.paging import limit_of, place_of, woven
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.schema import operation
from workflows.models import DeadLetter
from workflows.storage import deadgroups, deadletters, deadpages, redrives
from workflows.storage.deadgroups import Group
from workflows.storage.pages import Cut
from workflows.storage.parts import TraceRef
from workflows.tasks.edit import Refused, edited
from workflows.traces.rows import moment

_STATES = DeadLetter.State.values
_NOT_OPEN = "It isn't open: somebody has redriven or discarded it."


def _row(letter: DeadLetter) -> dict[str, Any]:
    failure = letter.failure if isinstance(letter.failure, dict) else {}
    ref = TraceRef(letter.subscription_id, letter.partition, letter.offset, letter.run)
    return {
        "id": letter.pk,
        "flow": letter.flow.slug,
        "version": letter.version.number,
        "node": letter.node,
        "state": letter.state,
        "kind": str(failure.get("kind", "")),
        "message": str(failure.get("message", "")),
        "fingerprint": letter.fingerprint,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "trace": str(ref),
        "at": moment(letter.dead_at),
        "closed_at": None if letter.closed_at is None else moment(letter.closed_at),
        "closed_by": letter.closed_by or None,
        "redrive": letter.redrive_id,
        "redriven_as": None if letter.rerun is None else str(ref._replace(run=letter.rerun)),
        "outcome": letter.outcome or None,
    }


def _find(view: ApiView, number: int) -> DeadLetter:
    letter = deadletters.find(view.caller.workspace_id, number)
    if letter is None:
        raise Problem(404, f"There is no dead letter {number} in this workspace.")
    return letter


def _since(view: ApiView) -> float:
    """The query parameter of that name as Unix seconds; 0 without one. Raises a 400."""
    text = view.asked("since")
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise Problem(400, "?since= is a moment as 2026-01-31T12:00:00Z.") from None


class DeadLetterList(ApiView):
    @operation(
        "list_dead_letters",
        "List dead letters, newest first",
        READ_TRACES,
        DeadLetterShape,
        page=True,
        params={
            "flow": "Dead letters of this flow.",
            "state": f"One of {', '.join(_STATES)}; all by default.",
            "fingerprint": "Those that failed in the same way.",
            "node": "Those that died at this node. A page then looks back for a moment only, and"
            " may be short: `next` goes on.",
            "kind": "Those with failures of this kind; as with `node`.",
            "since": "Those that died since this moment; as with `node`.",
            "redrive": "Those that this run took up.",
        },
    )
    def get(self, request: Request) -> Response:
        state, run = self.asked("state"), self.asked("redrive")
        if state and state not in _STATES:
            raise Problem(400, f"?state= is one of {', '.join(_STATES)}.")
        if run and not (run.isascii() and run.isdigit() and len(run) < 19):
            raise Problem(400, "?redrive= is the number of a run.")
        wanted = deadletters.Wanted(
            self.flow(self.asked("flow")).slug if self.asked("flow") else "",
            state,
            self.asked("fingerprint"),
            self.asked("node"),
            self.asked("kind"),
            _since(self),
            int(run or 0),
        )
        limit, place = limit_of(request), place_of(request)
        letters, around = deadpages.page(self.caller.workspace_id, wanted, place, limit)
        return woven(request, around, shown(DeadLetterShape, [_row(one) for one in letters]))


class DeadGroupList(ApiView):
    @operation(
        "list_dead_letter_groups",
        "List groups of open dead letters that failed in the same way, the newest first",
        READ_TRACES,
        DeadGroupShape,
        page=True,
        params={
            "flow": "Groups of this flow.",
            "node": "Groups of this node.",
            "kind": "Groups with failures of this kind.",
            "since": "Groups that have grown since this moment.",
            "text": "Groups whose newest message has this in it.",
        },
    )
    def get(self, request: Request) -> Response:
        flow, node, kind, text = (self.asked(name) for name in ("flow", "node", "kind", "text"))
        if flow:
            self.flow(flow)
        wanted = deadgroups.Wanted(flow, node, kind, since=_since(self), text=text)
        place = place_of(request)
        groups, is_more = deadgroups.page(
            self.caller.workspace_id,
            wanted,
            deadgroups.beyond(place.bounds, place.newer),
            limit_of(request),
        )
        first = deadgroups.bounds(groups[0]) if groups and (is_more or not place.newer) else None
        last = deadgroups.bounds(groups[-1]) if groups and (is_more or place.newer) else None
        around = Cut([], first if place.bounds else None, last)
        return woven(request, around, shown(DeadGroupShape, [_group(one) for one in groups]))


def _group(group: Group) -> dict[str, Any]:
    at = {"first_at": moment(group.first_at), "newest_at": moment(group.newest_at)}
    return {**group._asdict(), **at}


class OneDeadLetter(ApiView):
    @operation(
        "read_dead_letter",
        "Read a dead letter with its event and what each attempt was answered",
        READ_TRACES,
        WholeDeadLetterShape,
    )
    def get(self, request: Request, number: int) -> Response:
        letter = _find(self, number)
        edit = letter.redrive and letter.redrive.edit
        answers = [{**one._asdict(), "at": moment(one.at)} for one in deadletters.attempts(letter)]
        body = {
            **_row(letter),
            "event": orjson.loads(bytes(letter.event)),
            "edited_event": orjson.loads(bytes(edit)) if edit else None,
            "failure": letter.failure,
            "answers": answers,
        }
        return Response(shown(WholeDeadLetterShape, body))


class Redrive(ApiView):
    @operation(
        "redrive_dead_letter",
        "Run a dead letter again, from the node where it died, with other data if need be",
        OPERATE,
        DeadLetterShape,
        status=202,
        body=RedriveOne,
        also={409: "It isn't open.", 422: "The data can't be that of an event."},
    )
    def post(self, request: Request, number: int) -> Response:
        letter = _find(self, number)
        if letter.state != DeadLetter.State.OPEN:
            raise Problem(409, _NOT_OPEN)
        body = read_body(request, RedriveOne)
        edit = None
        if "data" in body:
            try:
                edit = edited(bytes(letter.event), body["data"])
            except Refused as refused:
                raise Problem(422, str(refused)) from None
        order = redrives.Order(
            deadgroups.Wanted(),
            (letter.pk,),
            edit=edit,
            as_failed=body.get("version") == "failed",
        )
        run = runs.begin(self.caller, request, order)
        return Response(shown(DeadLetterShape, {**_row(letter), "redrive": run.pk}), status=202)


class Discard(ApiView):
    @operation(
        "discard_dead_letter",
        "Close a dead letter without running it",
        OPERATE,
        DeadLetterShape,
        also={409: "It isn't open."},
    )
    def post(self, request: Request, number: int) -> Response:
        letter = _find(self, number)
        if not deadletters.discard([letter.pk], runs.name_of(self.caller, request)):
            raise Problem(409, _NOT_OPEN)
        return Response(shown(DeadLetterShape, _row(_find(self, number))))
