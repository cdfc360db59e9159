"""Dead letters: what nobody could do, and taking it up again."""

import logging
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import OPERATE, READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.paging import listed
from workflows.api.problems import Problem
from workflows.api.runshapes import DeadLetterShape, WholeDeadLetterShape
from workflows.api.schema import operation
from workflows.models import DeadLetter
from workflows.storage import deadletters
from workflows.storage.parts import TraceRef
from workflows.tasks import jobs
from workflows.traces.rows import moment

log = logging.getLogger(__name__)
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
    }


def _find(view: ApiView, number: int) -> DeadLetter:
    letter = deadletters.find(view.caller.workspace_id, number)
    if letter is None:
        raise Problem(404, f"There is no dead letter {number} in this workspace.")
    return letter


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
        },
    )
    def get(self, request: Request) -> Response:
        state = self.asked("state")
        if state and state not in _STATES:
            raise Problem(400, f"?state= is one of {', '.join(_STATES)}.")
        flow = self.flow(self.asked("flow")).slug if self.asked("flow") else ""
        wanted = deadletters.Wanted(flow, state, self.asked("fingerprint"))
        found = deadletters.listed(self.caller.workspace_id, wanted)

        def rows(letters: list[DeadLetter]) -> Any:
            return shown(DeadLetterShape, [_row(letter) for letter in letters])

        return listed(request, found, "id", rows, newest_first=True)


class OneDeadLetter(ApiView):
    @operation(
        "read_dead_letter", "Read a dead letter with its event", READ_TRACES, WholeDeadLetterShape
    )
    def get(self, request: Request, number: int) -> Response:
        letter = _find(self, number)
        body = {
            **_row(letter),
            "event": orjson.loads(bytes(letter.event)),
            "failure": letter.failure,
        }
        return Response(shown(WholeDeadLetterShape, body))


class Redrive(ApiView):
    @operation(
        "redrive_dead_letter",
        "Run a dead letter again, from the node where it died",
        OPERATE,
        DeadLetterShape,
        status=202,
        also={409: "It isn't open.", 503: "No worker could be asked."},
    )
    def post(self, request: Request, number: int) -> Response:
        letter = _find(self, number)
        if letter.state != DeadLetter.State.OPEN:
            raise Problem(409, _NOT_OPEN)
        try:
            jobs.redrive.apply_async((letter.pk,), retry=False)
        except Exception as problem:  # redis and kombu raise many kinds; all mean "not now"
            log.warning("redrive of %d not asked for: %s", letter.pk, problem)
            raise Problem(
                503, "Redis doesn't answer, so no worker could be asked. Try again later."
            ) from None
        return Response(shown(DeadLetterShape, _row(letter)), status=202)


class Discard(ApiView):
    @operation(
        "discard_dead_letter",
        "Close a dead letter without running it",
        OPERATE,
        DeadLetterShape,
        also={409: "It isn't open."},
    )
    def post(self, request: Request, number: int) -> Response:
        if not deadletters.discard(_find(self, number).pk):
            raise Problem(409, _NOT_OPEN)
        return Response(shown(DeadLetterShape, _row(_find(self, number))))
