"""How does somebody set up a node? With a form made from its type, checked at every change.

The editor posts a node to get its form. The form posts itself: the answer tells the editor the
configuration that it makes (in the hidden field `was`) and puts what is wrong below each field,
without touching the fields themselves. Nothing is stored here: the editor saves its draft.
"""

import json
import re
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from workflows.engine.build import Known
from workflows.engine.node import Node
from workflows.models import Flow
from workflows.nodes.registry import catalog, node_types
from workflows.storage import channels, connections
from workflows.web import formhelp, nodedoors
from workflows.web.access import Here, flow_or_404, member
from workflows.web.fields import FormField, form_fields
from workflows.web.formfill import Asked, Filled, fill_in
from workflows.web.formproblems import at_fields, find_problems
from workflows.web.formview import Painter, Shown, Slot, slots
from workflows.web.jsontext import NotJson, parse, pretty
from workflows.web.newevent import Refused
from workflows.web.timers import is_timed, line_of

LARGEST = 160_000  # characters of a configuration
_LONGEST_NAME = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PAGE = "workflows/editor/inspector.html"
_GENERAL = "f-says"
_CODE = ("expression", "template")


@require_POST
@member("viewer")
def inspector(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """The form of a node, or what its change means."""
    flow = flow_or_404(here, slug)
    try:
        asked = _asked(request)
        node_type = node_types().get(asked.type)
        if node_type is None:
            unknown = {"type": asked.type, "text": pretty(asked.config)}
            return render(request, "workflows/editor/unknown.html", unknown)
        fields = form_fields(_entry(asked)["schema"])
        filled = fill_in(request.POST, asked, fields, node_type)
        was = _as_text(filled.built.config)
    except Refused as refused:
        return _refusal(refused)
    context: dict[str, Any] = {
        "here": here,
        "url": request.path,
        "was": was,
        **_checked(here, asked, fields, filled, node_type),
    }
    if asked.view and not asked.do:
        response = render(request, "workflows/fields/slots.html", context)
    else:
        context |= _around(request, here, flow, asked, fields, node_type, filled)
        response = render(request, _PAGE, context)
    response["Cache-Control"] = "no-store"
    return response


def _asked(request: HttpRequest) -> Asked:
    post = request.POST
    node_id, kind, name = (str(post.get(key, "")) for key in ("id", "type", "name"))
    view, do = str(post.get("view", "")), str(post.get("do", ""))
    if not _ID.fullmatch(node_id):
        raise Refused(400, "Send the node's id: letters, digits, - and _ (at most 64).")
    if not kind or len(kind) > 200:
        raise Refused(400, "Send the node's type, such as filter.condition.")
    if len(name) > _LONGEST_NAME:
        raise Refused(400, f"A node's name has at most {_LONGEST_NAME} characters.")
    if view not in ("", "fields", "json"):
        raise Refused(400, "The view must be fields or json.")
    config = _config(str(post.get("was" if view else "config", "")) or "{}")
    return Asked(node_id, kind, name, config, view, do)


def _config(text: str) -> dict[str, Any]:
    _check_length(text)
    try:
        config = parse(text)
    except NotJson as error:
        raise Refused(400, f"The configuration can't be read. {error}") from None
    if not isinstance(config, dict):
        raise Refused(400, "The configuration must be a JSON object.")
    return config


def _checked(
    here: Here,
    asked: Asked,
    fields: tuple[FormField, ...],
    filled: Filled,
    node_type: type[Node],
) -> dict[str, Any]:
    """The fields with their problems; what is about none of them comes first."""
    built = filled.built
    kinds = _kinds(fields)
    secrets = connections.names(here.workspace_id) if "connection" in kinds else ()
    shared = channels.shared_slugs(here.workspace_id) if "channel" in kinds else ()
    known = Known(connections=secrets)
    node, problems = find_problems(node_type, asked.id, built.config, known)
    mistaken = {mistake.field for mistake in built.mistakes}
    if filled.view == "json" and built.mistakes:
        problems = []  # they would be about what stood there before
    found = [*built.mistakes, *(one for one in problems if one.field not in mistaken)]
    if filled.view == "json":
        shown: list[Shown] = []
        all_slots = [Slot(_GENERAL, found)]
    else:
        placed, others = at_fields(found, built.places)
        shown = Painter(placed, node, time.time(), shared).show(fields, filled.typed)
        all_slots = [Slot(_GENERAL, others), *slots(shown)]
    return {
        "node": asked,
        "view": filled.view,
        "is_json": filled.view == "json",
        "fields": shown,
        "slots": all_slots,
        "general": all_slots[0],
        "connections": secrets,
        "channels": shared,
        "extras": built.config.keys() - {field.name for field in fields},
    }


def _around(
    request: HttpRequest,
    here: Here,
    flow: Flow,
    asked: Asked,
    fields: tuple[FormField, ...],
    node_type: type[Node],
    filled: Filled,
) -> dict[str, Any]:
    """What only the whole form shows."""
    entry, kinds = _entry(asked), _kinds(fields)
    return {
        "flow": flow,
        "entry": entry,
        "raw": filled.raw,
        "focus": filled.focus,
        "paragraphs": formhelp.paragraphs(entry["help"]),
        "lessons": formhelp.lessons(node_type.examples),
        "usable": formhelp.usable(flow) if kinds.intersection(_CODE) else (),
        "variables": [f"${{{name}}}" for field in fields for name in field.variables],
        "zones": nodedoors.time_zones() if "timezone" in kinds else (),
        "is_timed": is_timed(node_type),
        "timer": line_of(flow.pk, asked.id),
        "door": nodedoors.door(request, here, flow, asked.type, asked.id, filled.built.config),
    }


def _entry(asked: Asked) -> dict[str, Any]:
    return next(one for one in catalog() if one["type"] == asked.type)


def _kinds(fields: tuple[FormField, ...]) -> set[str]:
    return {part.kind for field in fields for part in (field, *field.parts)}


def _as_text(config: dict[str, Any]) -> str:
    text = json.dumps(config, ensure_ascii=False)
    _check_length(text)
    return text


def _check_length(text: str) -> None:
    if len(text) > LARGEST:
        raise Refused(400, f"A configuration has at most {LARGEST:,} characters here.")


def _refusal(refused: Refused) -> HttpResponse:
    toast = {"eventflow:toast": {"text": refused.says, "kind": "failed"}}
    return HttpResponse(
        refused.says,
        status=refused.status,
        content_type="text/plain; charset=utf-8",
        headers={"HX-Trigger": json.dumps(toast)},
    )
