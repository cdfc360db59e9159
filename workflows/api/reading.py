"""What may a request bring along? Bounded JSON bodies and known query parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from workflows.api.problems import Problem
from workflows.engine.flowfile import LARGEST_BYTES


class JsonBody(BaseParser):
    """JSON of at most 1 MiB, the largest flow file. No NaN and no NUL: no database keeps them."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raw = stream.read(LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            raise Problem(413, f"At most {LARGEST_BYTES:,} bytes are taken in one request.")
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Problem(400, f"The body isn't valid JSON: {error}.") from None
        if b"\\u0000" in raw and _has_nul(value):
            raise Problem(400, "The body has a text with a NUL character: remove it.")
        return value


class Unread(BaseParser):
    """Leaves the body, of whatever kind, to the door that the request goes on to."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return {}


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says: a client that asks for CloudEvents gets what it can
    read, and one that asks for HTML gets what there is."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        taken = (kind, Unread.media_type)
        return next((parser for parser in parsers if parser.media_type in taken), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def read_body(request: Request, shape: type[Serializer[Any]], partial: bool = False) -> Any:
    """The checked body. Raises ValidationError, also for fields that the shape doesn't know."""
    data = request.data if request.data else {}
    if not isinstance(data, Mapping):
        raise ValidationError("The body is one JSON object.")
    serializer = shape(data=data, partial=partial)
    unknown = [name for name in data if name not in serializer.fields]
    if unknown:
        known = ", ".join(serializer.fields)
        raise ValidationError(
            {str(name)[:60]: f"There is no such field; known: {known}." for name in unknown[:20]}
        )
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def check_query(request: Request, known: Sequence[str]) -> None:
    """Raises a 400 for query parameters that mean nothing here: a typo in a filter would
    otherwise show everything."""
    for name, value in request.query_params.items():
        if name not in known:
            raise Problem(400, f"Unknown query parameter {name[:40]!r}; known: {', '.join(known)}.")
        if "\0" in value:
            raise Problem(400, f"The query parameter {name} has a NUL character.")


def _has_nul(value: Any) -> bool:
    layer = [value]
    while layer:
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, str) and "\0" in item:
                return True
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        layer = inner
    return False
