"""How does the API say no? Every error is a problem that tells what to do (RFC 9457)."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.exceptions import APIException
from rest_framework.response import Response

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
NOT_THERE = "There is nothing at this address, or it isn't yours to see."
_TITLES = {
    400: "The request can't be read",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Wrong method",
    409: "Not possible now",
    412: "Somebody else has changed it",
    413: "Too large",
    415: "Unknown content type",
    422: "Not valid",
    428: "Say which state you have seen",
    500: "Something went wrong here",
    503: "Not now",
}


class Problem(APIException):
    """An answer other than success. `says` is for people and tells how to mend it; `more` becomes
    members of the problem, `headers` of the answer."""

    def __init__(
        self, status: int, says: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(says)
        self.status_code, self.says, self.more = status, says, more
        self.headers = dict(headers or {})


def as_problem(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to any error that a view raised. Unexpected ones are logged, never shown."""
    problem = _translate(error)
    if problem is None:
        request = context.get("request")
        log.error("%s failed", getattr(request, "path", "a request"), exc_info=error)
        problem = Problem(500, "It was logged. If it happens again, tell whoever runs this server.")
    status = problem.status_code
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Problem"),
        "status": status,
        "detail": problem.says,
        **problem.more,
    }
    return Response(body, status=status, headers=problem.headers, content_type=CONTENT_TYPE)


def _translate(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case Http404() | exceptions.NotFound():
            return Problem(404, NOT_THERE)
        case exceptions.NotAuthenticated():
            return Problem(401, "Log in, or send a token: Authorization: Bearer ef_…", _who(error))
        case exceptions.AuthenticationFailed():
            return Problem(401, str(error.detail), _who(error))
        case exceptions.ValidationError():
            return _invalid(error)
        case exceptions.MethodNotAllowed():
            return Problem(405, str(error.detail))
        case APIException():
            return Problem(error.status_code, str(error.detail))
        case PermissionDenied():
            return Problem(403, str(error) or "You may not do this.")
        case RequestDataTooBig():
            return Problem(413, "The request is larger than this server takes.")
        case SuspiciousOperation():
            return Problem(400, "This request can't be right.")
    return None


def _who(error: APIException) -> dict[str, str]:
    return {"WWW-Authenticate": getattr(error, "auth_header", "Bearer")}


def _invalid(error: exceptions.ValidationError) -> Problem:
    errors = list(_flatten("", error.detail))
    detail = "; ".join(
        f"{one['field']}: {one['says']}" if one["field"] else one["says"] for one in errors[:5]
    )
    return Problem(422, detail, errors=errors)


def _flatten(path: str, detail: Any) -> list[dict[str, str]]:
    """One entry for each thing that is wrong, with the path of its field."""
    if isinstance(detail, dict):
        return [
            one
            for name, inner in detail.items()
            for one in _flatten(f"{path}.{name}" if path else str(name), inner)
        ]
    if isinstance(detail, list):
        return [one for inner in detail for one in _flatten(path, inner)]
    return [{"field": "" if path == "non_field_errors" else path, "says": str(detail)}]
