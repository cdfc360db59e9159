"""How do events get into this node? Addresses to post to, or a button."""

from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import available_timezones

import orjson
from django.http import HttpRequest

from workflows.models import Flow
from workflows.storage import doors
from workflows.web.access import Here
from workflows.web.jsontext import pretty


class Door(NamedTuple):
    """What a producer's inspector shows below its form; `kind` is "http" or "manual"."""

    kind: str
    is_open: bool  # it runs: the flow was published with it
    trigger: str = ""
    hook: str = ""  # "" also for those who may not see it
    sample: str = ""  # JSON to send


def door(
    request: HttpRequest, here: Here, flow: Flow, kind: str, node: str, config: dict[str, Any]
) -> Door | None:
    """The door of a node; None for one that this person can send nothing to."""
    if kind != "producer.http" and not (kind == "producer.manual" and here.can_edit):
        return None
    found = doors.flow_door(here.workspace_id, flow.slug)
    is_open = found is not None and any(inbox.node == node for inbox in found.inboxes)
    if kind == "producer.manual":
        return Door("manual", is_open, sample=pretty(config.get("data", {})))
    host = request.build_absolute_uri("/").rstrip("/")
    trigger = f"{host}/api/v1/flows/{quote(flow.slug)}/trigger?node={quote(node)}"
    key = doors.hook_keys(flow.pk).get(node) if here.can_edit else None  # the address is a secret
    hook = f"{host}/hooks/{key}" if key else ""
    return Door("http", is_open, trigger, hook, orjson.dumps({"amount": 120}).decode())


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """The names that people look for: places, and UTC."""
    places = (name for name in available_timezones() if "/" in name)
    return ("UTC", *sorted(name for name in places if not name.startswith(("Etc/", "SystemV/"))))
