"""How do lists go on? By opaque cursors that name the last thing shown, never by page number."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from workflows.api.problems import Problem
from workflows.storage import keyset
from workflows.storage.keyset import Beyond
from workflows.storage.pages import Bounds, Cut, Place

MOST, USUAL = 500, 50
_LARGEST = 2**63
_LINK = "Follow it as it is; null when there is no more."


def limit_of(request: Request) -> int:
    """How many rows the caller wants. Raises a 400."""
    text = request.query_params.get("limit", str(USUAL))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= limit <= MOST:
        raise Problem(400, f"?limit= is a whole number from 1 to {MOST}.")
    return limit


def place_of(request: Request) -> Place:
    """Where a page woven from streams begins. Raises a 400."""
    bounds, newer = _decode(request, dict) or ({}, False)
    return Place(bounds, newer)


def woven(request: Request, page: Cut, rows: Sequence[Mapping[str, Any]]) -> Response:
    """The answer for a page cut from streams, with `rows` for what it shows."""

    def link(bounds: Bounds | None, newer: bool) -> str | None:
        return None if bounds is None else _link(request, dict(bounds), newer)

    return _envelope(rows, link(page.last, False), link(page.first, True))


def onward(request: Request, bounds: Bounds) -> str:
    """The link to what lies below these bounds."""
    return _link(request, dict(bounds), False)


def listed(
    request: Request,
    found: QuerySet[Any],
    field: str,
    shape: Callable[[list[Any]], Sequence[Mapping[str, Any]]],
    *,
    newest_first: bool = False,
) -> Response:
    """The answer for a page of `found`, in the order of `field` (unique in it).

    `shape` makes the rows of a page, so that what belongs to them takes one query, not one each.
    """
    kind: type = str if field in ("slug", "name", "key") else int
    beyond = Beyond(*(_decode(request, kind) or ()))
    limit = limit_of(request)
    things, is_more = keyset.page(found, field, beyond, limit, newest_first=newest_first)
    ends = [getattr(things[i], field) for i in (0, -1)] if things else [None, None]
    has_next = beyond.backwards or is_more
    has_previous = is_more if beyond.backwards else beyond.key is not None
    return _envelope(
        shape(things),
        _link(request, ends[1], False) if has_next and things else None,
        _link(request, ends[0], True) if has_previous and things else None,
    )


def page_of_few(
    request: Request,
    found: Sequence[Mapping[str, Any]],
    field: str,
    shape: type[serializers.Serializer[Any]],
) -> Response:
    """The answer for a page of what is in memory anyway, sorted by the text in `field`."""
    limit, cursor = limit_of(request), _decode(request, str)
    key, backwards = cursor or ("", False)
    if backwards:
        before = [one for one in found if one[field] < key]
        part, start = list(before[-limit:]), max(0, len(before) - limit)
    else:
        start = sum(one[field] <= key for one in found)
        part = list(found[start : start + limit])
    is_more = start + len(part) < len(found)
    rows: Any = shape(part, many=True).data
    return _envelope(
        rows,
        _link(request, part[-1][field], False) if part and is_more else None,
        _link(request, part[0][field], True) if part and start else None,
    )


def _envelope(
    rows: Sequence[Mapping[str, Any]], following: str | None, previous: str | None
) -> Response:
    return Response({"results": rows, "next": following, "previous": previous})


def _link(request: Request, key: Any, backwards: bool) -> str:
    raw = orjson.dumps([key, backwards])
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def _decode(request: Request, kind: type) -> tuple[Any, bool] | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        value = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None
    match value:
        case [key, bool(backwards)] if type(key) is kind and _is_sound(key):
            return key, backwards
    raise _bad_cursor()


def _is_sound(key: Any) -> bool:
    """Whether the database can compare with it."""
    match key:
        case str():
            return "\0" not in key
        case int():
            return 0 <= key < _LARGEST
    return all(type(n) is int and 0 <= n < _LARGEST for n in key.values())


def _bad_cursor() -> Problem:
    return Problem(400, "This cursor isn't one: follow the links next and previous as they are.")


def page_shape(row: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """The envelope of a list, for the schema."""
    name = row.__name__.removesuffix("Shape") + "Page"
    fields = {
        "results": row(many=True),
        "next": serializers.CharField(allow_null=True, help_text=_LINK),
        "previous": serializers.CharField(allow_null=True, help_text=_LINK),
    }
    made: serializers.Serializer[Any] = type(name, (serializers.Serializer,), fields)()
    return made
