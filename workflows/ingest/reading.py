"""What events are in a request body? CloudEvents in three modes, plain JSON, arrays and NDJSON.

Pure: bytes and headers in, checked CloudEvents objects (or a problem for each bad one) out.
Sources: CloudEvents 1.0.2 and its HTTP binding, JSON format and JSON batch format.
"""

import base64
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import orjson

from workflows.engine.causes import HOPS_HEADER, hops_of, trace_parent
from workflows.ingest.attributes import (
    ATTRIBUTES,
    MOST_DEPTH,
    OPTIONAL,
    STRINGS,
    is_base64,
    is_shallow,
    is_text,
    is_time,
    kind_of,
    wrong_extension,
    wrong_text,
)
from workflows.ingest.problems import Problem

EVENT_BYTES = 256 * 1024
BODY_BYTES = 8 * 1024 * 1024
MOST_EVENTS = 1_000  # in one request

Body = dict[str, Any]  # a CloudEvents object
Read = Body | Problem


class Defaults:
    """What an event gets that doesn't say it itself."""

    def __init__(
        self,
        source: str,
        type: str = "",
        now: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        sent = headers or {}
        parent = sent.get("traceparent", "")
        self.traceparent = trace_parent(parent) if parent else ""
        hops = sent.get(HOPS_HEADER, "")
        self.hops = int(hops) if len(hops) < 6 and hops.isdecimal() else 0
        self.source, self.type = source, type
        self._moment = time.time() if now is None else now

    @cached_property
    def time(self) -> str:
        stamp = datetime.fromtimestamp(self._moment, UTC).isoformat(timespec="milliseconds")
        return stamp.replace("+00:00", "Z")

    def value_of(self, name: str) -> str:
        """Of `id`, `source` or `type`; "" if there is none."""
        return self.new_id() if name == "id" else str(getattr(self, name))

    def new_id(self) -> str:
        """Unique, and sorting by time: 48 bits of milliseconds, 80 random ones."""
        return f"{int(self._moment * 1000):012x}{secrets.token_hex(10)}"


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "application/json").split(";")[0].strip().lower()


def read_events(headers: Mapping[str, str], body: bytes, defaults: Defaults) -> list[Read]:
    """All events of a request to the events door. Raises Problem when it can't be read at all."""
    if len(body) > BODY_BYTES:
        raise Problem(413, f"The body has {len(body)} bytes; at most {BODY_BYTES} are taken.")
    kind = media_type(headers)
    if "ce-id" in headers or "ce-type" in headers or "ce-specversion" in headers:
        return [_binary(headers, kind, body, defaults)]
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return _ndjson(body, defaults)
    if kind == "application/cloudevents-batch+json":
        items = _json(body)
        if not isinstance(items, list):
            raise Problem(400, "A CloudEvents batch is a JSON array.")
        return _many(items, defaults, strict=True)
    if kind == "application/cloudevents+json":
        return [check_event(_json(body), defaults, strict=True)]
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(
            415,
            f"{kind} isn't read here. Send application/json, application/x-ndjson or CloudEvents.",
        )
    value = _json(body)
    return _many(value, defaults) if isinstance(value, list) else [check_event(value, defaults)]


def read_trigger(headers: Mapping[str, str], body: bytes, defaults: Defaults) -> list[Read]:
    """The events of a request to a flow's trigger.

    Plain JSON that is an object with a `data` member and only event attributes beside it is an
    event; any other JSON value is the data of one.
    """
    kind = media_type(headers)
    if kind == "application/json" and not any(name.startswith("ce-") for name in headers):
        value = _json(body) if body.strip() else None
        is_event = isinstance(value, dict) and "data" in value and value.keys() <= ATTRIBUTES
        return [check_event(value if is_event else {"data": value}, defaults)]
    return read_events(headers, body, defaults)


def _json(body: bytes) -> Any:
    if len(body) > BODY_BYTES:
        raise Problem(413, f"The body has {len(body)} bytes; at most {BODY_BYTES} are taken.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"The body isn't valid JSON: {error}") from None


def _many(items: list[Any], defaults: Defaults, strict: bool = False) -> list[Read]:
    if not items:
        raise Problem(422, "The array is empty: send at least one event.")
    if len(items) > MOST_EVENTS:
        raise Problem(413, f"{len(items)} events in one request; at most {MOST_EVENTS} are taken.")
    return [check_event(item, defaults, strict=strict) for item in items]


def _ndjson(body: bytes, defaults: Defaults) -> list[Read]:
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        raise Problem(422, "The body is empty: send one event a line.")
    if len(lines) > MOST_EVENTS:
        raise Problem(413, f"{len(lines)} events in one request; at most {MOST_EVENTS} are taken.")
    out: list[Read] = []
    for line in lines:
        try:
            out.append(check_event(_json(line), defaults))
        except Problem as problem:
            out.append(problem)
    return out


def _binary(headers: Mapping[str, str], kind: str, body: bytes, defaults: Defaults) -> Read:
    event: Body = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if "content-type" in headers:
        event["datacontenttype"] = headers["content-type"]
    if kind == "application/json" or kind.endswith("+json"):
        event["data"] = _json(body) if body.strip() else None
    elif kind.startswith("text/"):
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError:
            return Problem(400, "The body isn't valid UTF-8 text.")
    else:
        event["data_base64"] = base64.b64encode(body).decode()
    return check_event(event, defaults, strict=True)


def check_event(value: Any, defaults: Defaults, strict: bool = False) -> Read:
    """A complete CloudEvents object, or what is wrong. `strict`: nothing required may be missing.

    Never raises.
    """
    if not isinstance(value, dict):
        return Problem(422, f"An event is a JSON object, not {kind_of(value)}.")
    if strict:
        for name in ("specversion", "id", "source", "type"):
            if name not in value:
                return Problem(422, f"The CloudEvents attribute {name} is missing.")
    if value.get("specversion", "1.0") != "1.0":
        return Problem(422, 'specversion must be "1.0".')
    event = _with_required(value, defaults)
    if isinstance(event, Problem):
        return event
    if not OPTIONAL.isdisjoint(value):
        for name in STRINGS:
            given = value.get(name)
            if given is not None:
                if (wrong := wrong_text(name, given)) is not None:
                    return wrong
                event[name] = given
    if defaults.traceparent:
        event.setdefault("traceparent", defaults.traceparent)
    read = _with_data(event, value)
    if defaults.hops and isinstance(read, dict):  # sent by a flow: the chain goes on
        read["hops"] = max(defaults.hops, hops_of(read))
    return read


def _with_required(value: dict[str, Any], defaults: Defaults) -> Read:
    """What each event has, given or by default: specversion, id, source, type and time."""
    event: Body = {"specversion": "1.0"}
    for name in ("id", "source", "type"):
        given = value.get(name)
        if given is None:
            given = defaults.value_of(name)
            if not given:
                return Problem(422, 'The event has no type: add "type": "OrderCreated", say.')
        if not is_text(given) and (wrong := wrong_text(name, given)) is not None:
            return wrong
        event[name] = given
    moment = value.get("time")
    if moment is None:
        moment = defaults.time
    elif not isinstance(moment, str) or not is_time(moment):
        return Problem(422, 'time must be RFC 3339 text such as "2026-11-23T10:00:00Z".')
    event["time"] = moment
    return event


def _with_data(event: Body, value: dict[str, Any]) -> Read:
    if not value.keys() <= ATTRIBUTES:
        for name, given in value.items():
            if name in ATTRIBUTES:
                continue
            if (wrong := wrong_extension(name, given)) is not None:
                return wrong
            event[name] = given
    if "data_base64" in value:
        raw = value["data_base64"]
        if not isinstance(raw, str) or not is_base64(raw):
            return Problem(422, "data_base64 must be Base64 text.")
        if value.get("data") is not None:
            return Problem(422, "Send data or data_base64, not both.")
        event["data_base64"] = raw
    else:
        event["data"] = value.get("data")
        if not is_shallow(event["data"]):
            return Problem(400, f"data is nested deeper than {MOST_DEPTH} levels.")
    return event


def encode(event: Body) -> bytes:
    """The event as it will lie in the log. Raises Problem when it is too large."""
    body = orjson.dumps(event)
    if len(body) > EVENT_BYTES:
        raise Problem(
            413,
            f"The event has {len(body)} bytes; at most {EVENT_BYTES} are taken. Store the payload"
            " elsewhere and send its address.",
        )
    return body
