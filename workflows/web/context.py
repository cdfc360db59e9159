"""What does every page of a workspace need around its content?"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from workflows.models import Flow
from workflows.storage import members
from workflows.web.access import Here, is_htmx
from workflows.web.wellbeing import last_known

MAX_SEARCH = 200  # characters of a filter that are looked at


class Crumb(NamedTuple):
    """One part of the breadcrumb; the last one, the page itself, has no address."""

    text: str
    url: str = ""


class Section(NamedTuple):
    """A place in the rail."""

    name: str  # of its URL and of its icon's place in the rail
    text: str
    icon: str


SECTIONS = (
    Section("flows", "Flows", "workflow"),
    Section("traces", "Traces", "route"),
    Section("events", "Events", "list"),
    Section("channels", "Channels", "layers"),
    Section("dead_letters", "Dead letters", "skull"),
)


def page(
    request: HttpRequest,
    here: Here,
    template: str,
    context: Mapping[str, Any],
    *,
    section: str,
    crumbs: Sequence[Crumb],
    status: int = 200,
) -> HttpResponse:
    """The whole page: rail, top bar and `template`'s content."""
    around = {
        "here": here,
        "section": section,
        "sections": SECTIONS,
        "crumbs": crumbs,
        "health": last_known(),
        "memberships": members.of_person(here.user_id),
    }
    return render(request, template, {**around, **context}, status=status)


def part(
    request: HttpRequest, here: Here, template: str, name: str, context: Mapping[str, Any]
) -> HttpResponse:
    """One named part of a page, as the page itself has it."""
    response = render(request, f"{template}#{name}", {"here": here, **context})
    response["Cache-Control"] = "no-store"
    return response


def form_page(
    request: HttpRequest, here: Here, template: str, form: Form, *, section: str, title: str
) -> HttpResponse:
    """The page on which something new of a section is made."""
    name = next(one.text for one in SECTIONS if one.name == section)
    crumbs = [Crumb(name, reverse(section, args=[here.workspace])), Crumb(title)]
    status = 422 if form.errors else 200
    return page(
        request, here, template, {"form": form}, section=section, crumbs=crumbs, status=status
    )


def flow_page(
    request: HttpRequest,
    here: Here,
    flow: Flow,
    tab: str,
    title: str,
    context: Mapping[str, Any],
    status: int = 200,
) -> HttpResponse:
    """A page about a flow, `workflows/flows/{tab}.html`, with the tabs that lead to the others."""
    crumbs = [
        Crumb("Flows", reverse("flows", args=[here.workspace])),
        Crumb(flow.name, reverse("flow", args=[here.workspace, flow.slug])),
        Crumb(title),
    ]
    template, around = f"workflows/flows/{tab}.html", {"flow": flow, "tab": tab}
    return page(
        request,
        here,
        template,
        {**around, **context},
        section="flows",
        crumbs=crumbs,
        status=status,
    )


def wants(request: HttpRequest, name: str) -> bool:
    """Whether htmx asks for that part only."""
    return is_htmx(request) and request.GET.get("part") == name


def asked(request: HttpRequest, name: str) -> str:
    """A filter of the address: trimmed and bounded, "" when it isn't given."""
    return request.GET.get(name, "").strip().replace("\x00", "")[:MAX_SEARCH]
