"""The dot in the top bar: is anybody working? And the page behind it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from workflows.web.access import Here, member
from workflows.web.context import Crumb, page, part, wants
from workflows.web.wellbeing import look


@require_GET
@member("viewer")
def health(request: HttpRequest, here: Here) -> HttpResponse:
    """Each part of the installation, how it is, and what to do."""
    context = {"health": look()}
    if wants(request, "dot"):
        return part(request, here, "base.html", "dot", context)
    crumbs = [Crumb("Health")]
    return page(request, here, "workflows/health.html", context, section="", crumbs=crumbs)
