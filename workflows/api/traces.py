"""Traces: what happened to events."""

from collections.abc import Sequence
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.paging import limit_of, place_of, woven
from workflows.api.problems import Problem
from workflows.api.runshapes import TraceShape, WholeTraceShape
from workflows.api.schema import operation
from workflows.storage import (
    cursors,
    eventpages,
    flowrows,
    replays,
    runs,
    tracepages,
    traces,
)
from workflows.storage.parts import TraceRef
from workflows.storage.stored import read_one
from workflows.storage.traces import TraceRow
from workflows.traces.rows import row_as_dict, steps_of

_STATES = ("queued", *tracepages.STATES)


def trace_rows(found: Sequence[TraceRow], workspace_id: int) -> list[dict[str, Any]]:
    """The rows of those traces that belong to the workspace."""
    slugs = flowrows.slugs(workspace_id)
    lines = [
        {**row_as_dict(row), "flow": slugs[row.flow_id], "version": _version(row)}
        for row in found
        if row.flow_id in slugs
    ]
    return list(shown(TraceShape, lines))


def _version(row: TraceRow) -> int | None:
    return row.version if 0 < row.version < runs.FIRST_TRIAL else None


class TraceList(ApiView):
    @operation(
        "list_traces",
        "List traces, newest first",
        READ_TRACES,
        TraceShape,
        page=True,
        params={
            "flow": "Traces of this flow; the first page then begins with what is queued.",
            "state": f"One of {', '.join(_STATES)}. `queued` is one page.",
            "type": "Traces of events of this type. A page then looks back for a moment only, and"
            " may be short: `next` goes on.",
            "key": "Traces of events of this key; as with `type`.",
            "event": "Traces of the events of this id, in one page.",
            "run": "live: first runs; replay: those of replays, which `replay` names one by one."
            " As with `type`.",
            "replay": "Traces of the replay of this number.",
        },
    )
    def get(self, request: Request) -> Response:
        state, limit, place = self.asked("state"), limit_of(request), place_of(request)
        if state and state not in _STATES:
            raise Problem(400, f"?state= is one of {', '.join(_STATES)}.")
        wanted = tracepages.Wanted(
            state,
            self.asked("type"),
            self.asked("key"),
            self.asked("event"),
            run=self._run(),
        )
        flow_ids = self._flow_ids()
        queued: list[TraceRow] = []
        if self.asked("flow") and not any(wanted) and not self.asked("cursor"):
            queued = tracepages.queued(flow_ids, limit // 2)
        rows, page = tracepages.page(flow_ids, wanted, place, limit - len(queued))
        return woven(request, page, self._rows([*queued, *rows]))

    def _run(self) -> str:
        run, text = self.asked("run"), self.asked("replay")
        if run not in ("", "live", "replay"):
            raise Problem(400, "?run= is live or replay.")
        if not text:
            return run
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        replay = replays.find(self.caller.workspace_id, number)
        if replay is None:
            raise Problem(404, f"There is no replay {text[:20]} in this workspace.")
        return str(runs.number(replay.mode, replay.pk))

    def _flow_ids(self) -> list[int]:
        if self.asked("flow"):
            return [self.flow(self.asked("flow")).pk]
        return list(flowrows.slugs(self.caller.workspace_id))

    def _rows(self, found: Sequence[TraceRow]) -> list[dict[str, Any]]:
        return trace_rows(found, self.caller.workspace_id)


class OneTrace(ApiView):
    @operation(
        "read_trace", "Read a trace with its steps and its event", READ_TRACES, WholeTraceShape
    )
    def get(self, request: Request, ref: str) -> Response:
        where = traces.parse_ref(ref)
        row = where and traces.find(where)
        rows = trace_rows([row], self.caller.workspace_id) if row else []
        if not (where and rows):
            raise Problem(404, "There is no such trace (any more).")
        position, event = _origin(where)
        segments = traces.segments(where)
        body = {
            **rows[0],
            "position": position,
            "event": event,
            "redrive": traces.redrive_of(segments),
            "steps": steps_of(segments),
        }
        return Response(shown(WholeTraceShape, body))


def _origin(ref: TraceRef) -> tuple[str, dict[str, Any] | None]:
    """Where the trace's event lies, and the event itself while it is still there."""
    channel_id = cursors.channel_of(ref.subscription_id)
    stored = read_one(channel_id, ref.partition, ref.offset)
    position = eventpages.position(channel_id, ref.partition, ref.offset)
    return position, None if stored is None else orjson.loads(stored.body)
