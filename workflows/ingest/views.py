"""The same doors for people who are logged in: session and CSRF are checked by Django."""

from django.http import HttpRequest, HttpResponse

from workflows.ingest.accepting import Caller, Response
from workflows.ingest.app import Doors, problem_response
from workflows.ingest.cache import in_thread
from workflows.ingest.problems import Problem
from workflows.storage import people

doors = Doors()  # the process's one, also for the ASGI application


async def events(request: HttpRequest) -> HttpResponse:
    """`POST /api/v1/events` from a browser session."""
    return await _through(request, None)


async def trigger(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /api/v1/flows/{slug}/trigger` from a browser session."""
    return await _through(request, slug)


async def _through(request: HttpRequest, slug: str | None) -> HttpResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = request.META.get("QUERY_STRING", "")
    try:
        caller = await _authorise(request)
        door, body = doors.door, request.body
        if slug is None:
            answer = await door.accept(lambda: door.admit_events(caller, query, headers, body))
        else:
            answer = await door.accept(
                lambda: door.admit_trigger(caller, slug, query, headers, body)
            )
    except Problem as problem:
        answer = problem_response(problem)
    return _as_django(answer)


async def _authorise(request: HttpRequest) -> Caller:
    user = await request.auser()
    if not user.is_authenticated:
        raise Problem(401, "Log in, or send a token: Authorization: Bearer ef_…")
    slug = request.GET.get("workspace", people.MAIN)

    def look() -> tuple[int | None, str | None]:
        workspace_id = people.workspace_id_of(slug)
        if workspace_id is None:
            return None, None
        return workspace_id, people.role_of(user.pk, workspace_id)

    workspace_id, role = await in_thread(look)
    if workspace_id is None or role is None:
        raise Problem(404, "There is no such workspace, or it isn't yours.")
    if not people.at_least(role, "editor"):
        raise Problem(403, "Viewers can't send events: ask an owner for the role of editor.")
    return Caller(workspace_id, slug)


def _as_django(answer: Response) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
    for name, value in answer.headers:
        response[name] = value
    return response
