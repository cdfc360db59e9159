"""Replays: events of a channel once more through a flow, for real or in the shadow."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import EDIT, READ_TRACES, Need
from workflows.api.base import ApiView, newest_first, shown
from workflows.api.paging import listed
from workflows.api.problems import Problem
from workflows.api.reading import read_body
from workflows.api.replayshapes import (
    ComparisonShape,
    DifferenceShape,
    NewReplay,
    ReplayShape,
    replay_row,
)
from workflows.api.schema import operation
from workflows.models import Difference, Replay
from workflows.storage import comparisons, replays
from workflows.storage.ranges import Selection, Span
from workflows.storage.replays import Refused, Wish
from workflows.tasks.replay import ask

OPERATE_FLOW = Need("flows:write", "operator")  # effects happen
_KINDS = Difference.Kind.values


class ReplayList(ApiView):
    @operation(
        "list_replays",
        "List replays, newest first",
        READ_TRACES,
        ReplayShape,
        page=True,
        params={"flow": "Replays into this flow."},
    )
    def get(self, request: Request) -> Response:
        flow = self.flow(self.asked("flow")).slug if self.asked("flow") else ""
        found = replays.listed(self.caller.workspace_id, flow)
        return newest_first(request, found, ReplayShape, replay_row)

    @operation(
        "start_replay",
        "Count events of a channel, or let them run again",
        EDIT,
        ReplayShape,
        status=202,
        body=NewReplay,
        also={
            200: "A dry run: nothing but counted.",
            403: "Modes in which effects happen need the role of operator.",
            422: "It can't begin: `field` says what to change.",
        },
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, NewReplay)
        flow = self.flow(body["flow"])
        try:
            wish = _wish(body, self.caller.workspace_id, self.caller.user_id)
            if body["dry_run"]:
                return Response(_counted(flow.slug, wish, replays.prepare(flow, wish)))
            if wish.mode != Replay.Mode.SHADOW:
                self.caller.check(OPERATE_FLOW)
            replay = replays.start(flow, wish)
        except Refused as refused:
            problems = [{"node": p.node, "says": p.says} for p in refused.problems]
            raise Problem(422, str(refused), field=refused.field, problems=problems) from None
        ask([replay.pk])
        row = shown(ReplayShape, replay_row(replay))
        return Response(row, status=202, headers={"Location": f"/api/v1/replays/{replay.pk}"})


def _wish(body: dict[str, Any], workspace_id: int, user_id: int | None) -> Wish:
    channel: str = body["channel"]
    places: tuple[tuple[int, int], ...] = ()
    named = body["traces"] or body["events"]
    if named:
        channel, places = replays.chosen(workspace_id, named, as_traces=bool(body["traces"]))
    since, until = body["since"], body["until"]
    return Wish(
        mode=body["mode"],
        selection=Selection(
            since=since and since.timestamp(),
            until=until and until.timestamp(),
            type=body["type"],
            key=body["key"],
            ranges=tuple(
                Span(one["partition"], one["start"], one["end"]) for one in body["ranges"]
            ),
            places=places,
        ),
        draft=body["draft"],
        node=body["node"],
        channel=channel,
        rate=body["rate"],
        user_id=user_id,
    )


def _counted(flow: str, wish: Wish, ready: replays.Prepared) -> Any:
    row: dict[str, Any] = {
        "id": None,
        "flow": flow,
        "version": None,
        "draft": wish.draft,
        "node": ready.node,
        "channel": ready.channel.slug,
        "mode": wish.mode,
        "state": "counted",
        "selection": {},
        "rate": wish.rate,
        "total": ready.total,
        "exact": not ready.uncounted,
        "done": 0,
        "outcomes": {},
        "remembers": ready.remembers,
        "error": None,
        "created_at": None,
        "ended_at": None,
        "created_by": None,
    }
    return shown(ReplayShape, row)


class _OfReplay(ApiView):
    def replay(self, number: int) -> Replay:
        """The caller's replay of that number. Raises a 404."""
        found = replays.find(self.caller.workspace_id, number)
        if found is None:
            raise Problem(404, f"There is no replay {number} in this workspace.")
        return found


class OneReplay(_OfReplay):
    @operation("read_replay", "Read how a replay goes", READ_TRACES, ReplayShape)
    def get(self, request: Request, number: int) -> Response:
        return Response(shown(ReplayShape, replay_row(self.replay(number))))


class Cancel(_OfReplay):
    @operation(
        "cancel_replay",
        "Let a replay take no more events; what it took is finished",
        EDIT,
        ReplayShape,
        also={409: "It has ended."},
    )
    def post(self, request: Request, number: int) -> Response:
        if not replays.cancel(self.replay(number).pk):
            raise Problem(409, "It has ended already.")
        return Response(shown(ReplayShape, replay_row(self.replay(number))))


class Comparison(_OfReplay):
    @operation(
        "compare_replay",
        "Read how a shadow run compares with what happened live",
        READ_TRACES,
        ComparisonShape,
        also={409: "It isn't a shadow run."},
    )
    def get(self, request: Request, number: int) -> Response:
        replay = self.replay(number)
        if replay.mode != Replay.Mode.SHADOW:
            raise Problem(409, "Only shadow runs are compared.")
        groups = [
            {**group._asdict(), "trace": group.newest.trace, "detail": group.newest.detail}
            for group in comparisons.groups(replay)
        ]
        row = {"events": replay.done, **comparisons.counts(replay), "groups": groups}
        return Response(shown(ComparisonShape, row))


class DifferenceList(_OfReplay):
    @operation(
        "list_replay_differences",
        "List the events that ended differently in a shadow run",
        READ_TRACES,
        DifferenceShape,
        page=True,
        params={
            "kind": f"One of {', '.join(_KINDS)}; all by default.",
            "node": "Those that first differ at this node.",
        },
    )
    def get(self, request: Request, number: int) -> Response:
        kind = self.asked("kind")
        if kind and kind not in _KINDS:
            raise Problem(400, f"?kind= is one of {', '.join(_KINDS)}.")
        found = comparisons.listed(self.replay(number), kind, self.asked("node"))
        return listed(request, found, "id", lambda rows: shown(DifferenceShape, rows))
