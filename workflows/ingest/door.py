"""What happens to a request at a door? Checked, appended, answered: the same for every server.

A 2xx is sent only when every event in it is on disk.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson

from workflows.ingest import reading
from workflows.ingest.accepting import Admitted, Caller, Response, admit, answer_of
from workflows.ingest.answers import Answers
from workflows.ingest.appender import Appender, Outcome
from workflows.ingest.cache import Cache, in_thread, warm
from workflows.ingest.problems import Problem
from workflows.ingest.query import is_on, options_of, seconds_of
from workflows.ingest.reading import Defaults, Read
from workflows.storage import channels, cursors, disk, doors
from workflows.storage.channels import ChannelRow
from workflows.storage.doors import FlowDoor, HookDoor, Inbox
from workflows.storage.log import Position
from workflows.storage.plans import load_plan

_RETRY_AFTER = "5"
_RETRY_LATER = "60"  # somebody has to free disk space first
# A token in the wrong header is likely to be the right one.
_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-token")
)
_OWN_HEADERS = frozenset(("content-type", "location", "retry-after", "cache-control"))


class Door:
    """All doors of one process; made when the first request comes."""

    def __init__(self) -> None:
        self._appender = Appender()
        self._answers = Answers()
        self._channels: Cache[tuple[int, str], ChannelRow | None] = Cache(
            lambda key: channels.find(*key)
        )
        self._flows: Cache[tuple[int, str], FlowDoor | None] = Cache(
            lambda key: doors.flow_door(*key), seconds=1.0
        )
        self._hooks: Cache[str, HookDoor | None] = Cache(doors.hook_door, seconds=1.0)
        self._lags: Cache[str, dict[int, int]] = Cache(lambda _: cursors.lag_of_channels(), 1.0)

    async def accept(self, look: Callable[[], Admitted]) -> Response:
        """Store what `look` admits, as soon as the caches know what it asks them, and answer; with
        `?wait=` it is the flow's own reply. Raises Problem."""
        admitted = await warm(look)
        places = await self._appender.append(admitted.good)
        answer = answer_of(admitted, places)
        if admitted.wait is None or answer.status != 202:
            return answer
        return await self._wait(answer, places[0], *admitted.wait)

    def accept_soon(
        self, admitted: Admitted, tell: Callable[[Response | BaseException], None]
    ) -> None:
        """`accept` for callers who can't wait: the running loop calls `tell`. Nobody's reply is
        waited for."""

        def stored(outcome: Outcome) -> None:
            if isinstance(outcome, BaseException):
                tell(outcome)
            else:
                tell(answer_of(admitted, outcome))

        self._appender.submit(admitted.good, stored)

    def admit_events(
        self, caller: Caller, query: str, headers: Mapping[str, str], body: bytes
    ) -> Admitted:
        """`POST /api/v1/events?channel=…`. Raises Problem and Cold."""
        options = options_of(query, ("channel", "atomic", "workspace"))
        slug = options.get("channel")
        if not slug:
            raise Problem(400, "Say which channel the events go to: ?channel=orders.")
        channel = self._channels.known((caller.workspace_id, slug))
        if channel is None or channel.private:
            raise Problem(
                404, f"There is no channel {slug[:60]!r}. Create it with POST /api/v1/channels."
            )
        defaults = Defaults(source=f"/w/{caller.workspace}/api", headers=headers)
        read = reading.read_events(headers, body, defaults)
        return self._admit(caller, channel, read, is_on(options, "atomic"), None)

    def admit_trigger(
        self, caller: Caller, slug: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Admitted:
        """`POST /api/v1/flows/{slug}/trigger`. Raises Problem and Cold."""
        options = options_of(query, ("node", "wait", "atomic", "workspace"))
        wait = seconds_of(options.get("wait", "0"))
        flow = self._flows.known((caller.workspace_id, slug))
        if flow is None:
            raise Problem(404, f"There is no flow {slug[:60]!r} in this workspace.")
        inbox = _choose(flow, slug, options.get("node"))
        channel = self._inbox(caller.workspace_id, inbox)
        defaults = Defaults(
            f"/w/{caller.workspace}/flows/{slug}", f"{slug}.triggered", headers=headers
        )
        read = reading.read_trigger(headers, body, defaults)
        if wait and len(read) != 1:
            raise Problem(422, "?wait= is for one event at a time.")
        admitted = self._admit(
            caller, channel, read, is_on(options, "atomic"), inbox.subscription_id
        )
        return admitted._replace(wait=(inbox, wait)) if wait else admitted

    async def hook(self, key: str, headers: Mapping[str, str], body: bytes) -> Response:
        """`POST /hooks/{key}`: no token; the address is secret, and the sender may have to sign."""
        door = await warm(lambda: self._hooks.known(key[:64]))
        if door is None:
            raise Problem(404, "There is no webhook at this address.")
        inbox = door.inbox
        if inbox is None:
            raise Problem(409, f"The flow {door.flow} isn't published: nothing listens here.")
        plan = await in_thread(lambda: load_plan(inbox.version_id))
        producer: Any = plan.nodes[inbox.node].node
        await self._verify(door, producer, headers, body)
        found = producer.identify(headers)
        defaults = Defaults(
            source=f"/hooks/{door.flow}/{inbox.node}",
            type=found.get("type") or f"{door.flow}.received",
            headers=headers,
        )
        read = _hook_events(headers, body, defaults, found)
        caller = Caller(door.workspace_id, door.workspace)

        def look() -> Admitted:
            channel = self._inbox(caller.workspace_id, inbox)
            return self._admit(caller, channel, read, False, inbox.subscription_id)

        return await self.accept(look)

    async def _verify(
        self, door: HookDoor, producer: Any, headers: Mapping[str, str], body: bytes
    ) -> None:
        name = getattr(producer.config, "secret", "")
        secret = None
        if name:
            secret = await in_thread(lambda: doors.secret_of(door.workspace_id, name))
        refused = producer.verify(headers, body, secret)
        if refused is None:
            return
        hidden = {*_SECRET_HEADERS, getattr(producer.config, "token_header", "").lower()}
        shown = {k: v for k, v in headers.items() if k not in hidden}
        node = door.inbox.node if door.inbox else ""
        now = time.time()
        await in_thread(lambda: doors.reject(door.flow_id, node, refused, shown, body, now))
        raise Problem(401, refused)

    def _inbox(self, workspace_id: int, inbox: Inbox) -> ChannelRow:
        channel = self._channels.known((workspace_id, inbox.channel))
        if channel is None:
            raise Problem(409, "The flow is being published right now: try again.")
        return channel

    def _admit(
        self,
        caller: Caller,
        channel: ChannelRow,
        read: Sequence[Read],
        atomic: bool,
        subscription_id: int | None,
    ) -> Admitted:
        _check_room()
        self._check_lag(channel)
        return admit(caller, channel, read, atomic, subscription_id)

    def _check_lag(self, channel: ChannelRow) -> None:
        lag = self._lags.known("all").get(channel.id, 0)
        if channel.blocks and lag >= channel.lag_limit:
            raise Problem(
                429,
                f"{lag} events wait in {channel.slug} already; at most {channel.lag_limit} may."
                f" Try again in {_RETRY_AFTER} s.",
                headers={"Retry-After": _RETRY_AFTER},
            )

    async def _wait(
        self, accepted: Response, place: Position, inbox: Inbox, seconds: float
    ) -> Response:
        found = await self._answers.wait(place, inbox.subscription_id, seconds)
        if found is None:
            return accepted
        own = [(k, v) for k, v in found.get("headers", {}).items() if k.lower() in _OWN_HEADERS]
        body = found.get("body")
        if isinstance(body, str):
            kind, raw = "text/plain; charset=utf-8", body.encode()
        else:
            kind, raw = "application/json", orjson.dumps(body)
        kind = next((v for k, v in own if k.lower() == "content-type"), kind)
        rest = tuple((k, v) for k, v in own if k.lower() != "content-type")
        return Response(int(found["status"]), raw, kind, rest)


def _check_room() -> None:
    if disk.is_low():
        raise Problem(
            507,
            f"Less than {disk.floor_bytes() >> 20} MiB are free on the disk of the database:"
            f" nothing is accepted until there is more room. Try again in {_RETRY_LATER} s.",
            headers={"Retry-After": _RETRY_LATER},
        )


def _hook_events(
    headers: Mapping[str, str], body: bytes, defaults: Defaults, found: Mapping[str, str]
) -> list[Read]:
    """A webhook's body is the data of one event, whatever it looks like, unless it comes as
    CloudEvents; form posts carry JSON in a field named `payload`."""
    kind = reading.media_type(headers)
    if kind.startswith("application/cloudevents") or "ce-id" in headers:
        return reading.read_events(headers, body, defaults)
    if kind == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=1000))
        data: Any = _payload(fields["payload"]) if "payload" in fields else fields
    elif not body.strip():
        data = None
    elif kind.startswith("text/"):
        data = body.decode("utf-8", "replace")
    else:
        data = _payload(body)
    event = {"data": data, **{k: v for k, v in found.items() if k in ("id", "type")}}
    return [reading.check_event(event, defaults)]


def _payload(body: bytes | str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"The body isn't valid JSON: {error}") from None


def _choose(flow: FlowDoor, slug: str, node: str | None) -> Inbox:
    if not flow.published or not flow.inboxes:
        raise Problem(409, f"The flow {slug} has no published producer to trigger: publish it.")
    if node is None:
        return flow.inboxes[0]
    for inbox in flow.inboxes:
        if inbox.node == node:
            return inbox
    names = ", ".join(inbox.node for inbox in flow.inboxes)
    raise Problem(404, f"The flow {slug} has no producer {node[:60]!r}; it has {names}.")
