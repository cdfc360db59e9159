"""What did somebody do to a node's form? Typed, pressed one of its buttons, or changed the view."""

from typing import Any

import msgspec
from django.http import QueryDict

from workflows.engine.node import Node
from workflows.engine.problems import Problem
from workflows.web import formrows
from workflows.web.fields import FormField
from workflows.web.formdata import Typed, from_post, to_typed
from workflows.web.formread import Built, to_config
from workflows.web.jsontext import NotJson, parse, pretty


class Asked(msgspec.Struct, frozen=True):
    """A node, as the editor or its form sends it."""

    id: str
    type: str
    name: str
    config: dict[str, Any]  # as the form was made from it
    view: str  # "fields" or "json"; "" when the editor asks for the form
    do: str  # which button of the form: "add:cases", "view:json" …


class Filled(msgspec.Struct, frozen=True):
    """The form as it is filled in, and what came of it."""

    view: str
    typed: Typed
    built: Built
    raw: str = ""  # the text of the JSON view
    focus: str = ""


def fill_in(
    post: QueryDict, asked: Asked, fields: tuple[FormField, ...], node_type: type[Node]
) -> Filled:
    """The form after what somebody typed, and what the button did."""
    verb, _, what = asked.do.partition(":")
    if asked.view == "json":
        filled = _from_json(str(post.get("raw", "")), asked, fields)
    else:
        typed = from_post(fields, post) if asked.view else to_typed(fields, asked.config)
        focus = formrows.act(fields, typed, verb, what)
        built = to_config(fields, typed, asked.config)
        filled = Filled("fields", typed, built, focus=focus)
    if verb == "view" and what in ("fields", "json") and not filled.built.mistakes:
        return _made(fields, filled.built.config, what)
    if verb == "drop" and what in filled.built.config:
        config = {k: v for k, v in filled.built.config.items() if k != what}
        return _made(fields, config, filled.view)
    if verb == "example" and what.isdecimal() and int(what[:4]) < len(node_type.examples):
        return _made(fields, dict(node_type.examples[int(what[:4])].config), filled.view)
    return filled


def _made(fields: tuple[FormField, ...], config: dict[str, Any], view: str) -> Filled:
    typed = to_typed(fields, config)
    return Filled(view, typed, to_config(fields, typed, config), pretty(config))


def _from_json(raw: str, asked: Asked, fields: tuple[FormField, ...]) -> Filled:
    try:
        config = parse(raw or "{}")
        if not isinstance(config, dict):
            raise NotJson("The configuration must be a JSON object: {…}.")
    except NotJson as error:
        mistakes = [Problem(asked.id, "", str(error))]
        return Filled("json", {}, Built(asked.config, mistakes, {}), raw)
    return Filled("json", to_typed(fields, config), Built(config, [], {}), raw)
