"""Which traces does a list show? Those of some flows, filtered, newest first, page by page."""

from collections.abc import Sequence
from typing import NamedTuple

from workflows.storage import cursors, runs, sql
from workflows.storage.pages import WHOLE, Bounds, Cut, Entry, Place, Search, Span, Stream, gather
from workflows.storage.parts import TraceRef
from workflows.storage.traces import COLUMNS, WAITS, TraceRow, queued_row, row_of, with_paths

STATES = ("running", "ok", "filtered", "failed")
_INDEXED = ("running", "failed")
_RUNS = 500  # of one event, at the most
_EVENT = "e.event_id, e.type, e.key, e.accepted_at"


class Wanted(NamedTuple):
    """A list's filters; "" leaves a field open. `state` may be "queued" too."""

    state: str = ""
    type: str = ""
    key: str = ""
    event: str = ""  # an event's id
    text: str = ""  # the beginning of a type, or a whole key or event id
    run: str = ""  # live, replay, or the number of a run


EVERYTHING = Wanted()


class _Unread(NamedTuple):
    """What a subscription has still to read of a partition: low ≤ offset < high."""

    flow_id: int
    subscription_id: int
    channel_id: int
    partition: int
    low: int
    high: int


def page(
    flow_ids: Sequence[int], wanted: Wanted, place: Place, limit: int
) -> tuple[list[TraceRow], Cut]:
    """The traces of one page, newest first, and what lies around it.

    Those of one event, and queued ones, are one page. A page may be short although there is more:
    where no index serves a filter, it looks back for a moment only (`pages.Search`).
    """
    if wanted.event:
        return of_event(flow_ids, wanted, limit), WHOLE
    if wanted.state == "queued":
        return queued(flow_ids, limit, wanted), WHOLE
    searched = (wanted.type, wanted.key, wanted.text, wanted.run)
    scans = any(searched) or wanted.state not in ("", *_INDEXED)

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        return _entries(looked, wanted, place.newer, size)

    found = gather(_streams(flow_ids), place, limit, fetch, Search() if scans else None)
    return _read(found.shown), found


def looked_back_to(bounds: Bounds) -> float | None:
    """The moment (Unix seconds) since when everything above these bounds was taken; None when
    nothing lies below them."""
    below = (
        "SELECT * FROM (SELECT taken_at FROM workflows_trace WHERE flow_id = %s AND number < %s"
        " ORDER BY number DESC LIMIT 1) AS below"
    )
    places = [(int(flow_id), number) for flow_id, number in bounds.items() if flow_id.isdigit()]
    return max((at for (at,) in sql.fetch_each(below, places)), default=None)


def queued(flow_ids: Sequence[int], limit: int, wanted: Wanted = EVERYTHING) -> list[TraceRow]:
    """The newest events that these flows have still to take, as the traces that they will be.

    With filters, those that a look back for a moment finds.
    """
    where, more = _filter("e", wanted)
    piece = (
        f'SELECT * FROM (SELECT %s, %s, "partition", "offset", {_EVENT} FROM workflows_event e'
        f' WHERE channel_id = %s AND "partition" = %s AND "offset" >= %s AND "offset" < %s{where}'
        ' ORDER BY "offset" DESC LIMIT %s) AS newest'
    )
    unread = {f"{one.subscription_id}.{one.partition}": one for one in _unread(flow_ids)}
    rows: dict[tuple[str, int], TraceRow] = {}

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        found = []
        params = [(*unread[s.stream.key][:4], s.low, s.high, *more, size) for s in looked]
        for row in sql.fetch_each(piece, params):
            key = f"{row[1]}.{row[2]}"
            rows[key, row[3]] = queued_row(TraceRef(*row[1:4]), (row[0], *row[4:]))
            found.append(Entry(key, row[3], row[7]))
        return found

    streams = [Stream(key, one.low, one.high) for key, one in unread.items()]
    shown = gather(streams, Place({}), limit, fetch, Search() if where else None).shown
    return [rows[entry.stream, entry.number] for entry in shown]


def of_event(flow_ids: Sequence[int], wanted: Wanted, limit: int) -> list[TraceRow]:
    """The traces of events by their id, queued ones included, newest first."""
    if not flow_ids:
        return []
    among = f"e.event_id = %s AND s.flow_id IN ({', '.join(['%s'] * len(flow_ids))})"
    meant = (wanted.event, *flow_ids)
    rows: list[TraceRow] = []
    if wanted.state != "queued":
        where, more = _filter("t", wanted)
        rows += _taken(f"{among}{where}", (*meant, *more), limit)
    if wanted.state in ("", "queued"):
        where, more = _filter("e", wanted)
        rows += _waiting(f"{among}{where}", (*meant, *more), limit)
    rows.sort(key=lambda row: (-row.accepted_at, row.ref))
    return with_paths(rows[:limit])


def of_place(channel_id: int, partition: int, offset: int) -> list[TraceRow]:
    """The traces that one event has or will have, each subscription's from the live one on."""
    where = 'e.channel_id = %s AND e."partition" = %s AND e."offset" = %s'
    place = (channel_id, partition, offset)
    rows = _taken(where, place, _RUNS) + _waiting(where, place, _RUNS)
    return with_paths(sorted(rows, key=lambda row: row.ref))


def _taken(where: str, params: Sequence[object], limit: int) -> list[TraceRow]:
    # SQLite keeps to the order of a CROSS JOIN: the event first, which `where` looks up. By itself
    # it may begin with the flows, and go through all of their traces.
    rows = sql.fetch(
        f"SELECT {COLUMNS} FROM workflows_event e CROSS JOIN workflows_subscription s"
        " CROSS JOIN workflows_trace t"
        " WHERE s.channel_id = e.channel_id AND t.subscription_id = s.id"
        ' AND t."partition" = e."partition" AND t."offset" = e."offset"'
        f" AND {where} ORDER BY e.accepted_at DESC LIMIT %s",
        (*params, limit),
    )
    return [row_of(raw) for raw in rows]


def _waiting(where: str, params: Sequence[object], limit: int) -> list[TraceRow]:
    rows = sql.fetch(
        f'SELECT s.id, e."partition", e."offset", s.flow_id, {_EVENT} FROM workflows_event e'
        " CROSS JOIN workflows_subscription s CROSS JOIN workflows_cursor c"
        " WHERE s.channel_id = e.channel_id AND c.subscription_id = s.id"
        f' AND c."partition" = e."partition" AND {WAITS} AND {where}'
        " ORDER BY e.accepted_at DESC LIMIT %s",
        (*params, limit),
    )
    return [queued_row(TraceRef(*row[:3]), row[3:]) for row in rows]


def _unread(flow_ids: Sequence[int]) -> list[_Unread]:
    if not flow_ids:
        return []
    marks = ", ".join(["%s"] * len(flow_ids))
    return [
        _Unread(*row)
        for row in sql.fetch(
            'SELECT s.flow_id, s.id, s.channel_id, c."partition", c.position,'
            f" c.position + {cursors.UNREAD}{cursors.LAGGING} AND s.flow_id IN ({marks})",
            flow_ids,
        )
    ]


def _filter(alias: str, wanted: Wanted) -> tuple[str, list[object]]:
    """The conditions that both an event and its trace can be held to, and the trace's state."""
    where, params = sql.equal(
        {
            f"{alias}.type": wanted.type,
            f"{alias}.key": wanted.key,
            f"{alias}.event_id": wanted.event,
            f"{alias}.state": wanted.state if alias == "t" else "",
        }
    )
    if wanted.text:
        where += (
            f" AND (substr({alias}.type, 1, %s) = %s OR {alias}.key = %s OR {alias}.event_id = %s)"
        )
        params += [len(wanted.text), *[wanted.text] * 3]
    if wanted.run and alias == "t":
        where, params = _with_run(where, params, wanted.run)
    return where, params


def _with_run(where: str, params: list[object], run: str) -> tuple[str, list[object]]:
    if run == "live":
        return f"{where} AND t.run = 0", params
    if run == "replay":
        return f"{where} AND t.run >= {runs.FIRST_REPLAY}", params
    return f"{where} AND t.run = %s AND t.run > 0", [*params, int(run)]


def _streams(flow_ids: Sequence[int]) -> list[Stream]:
    if not flow_ids:
        return []
    marks = ", ".join(["%s"] * len(flow_ids))
    return [
        Stream(str(flow_id), tail, change + 1)
        for flow_id, change, tail in sql.fetch(
            "SELECT c.flow_id, c.change, (SELECT MIN(t.number) FROM workflows_trace t"
            " WHERE t.flow_id = c.flow_id) FROM workflows_flowclock c"
            f" WHERE c.flow_id IN ({marks})",
            flow_ids,
        )
        if tail is not None
    ]


def _entries(looked: Sequence[Span], wanted: Wanted, newer: bool, limit: int) -> list[Entry]:
    where, more = _filter("t", wanted)
    if wanted.state in _INDEXED:
        where += " AND t.state IN ('running', 'failed')"  # so that SQLite sees that its index fits
    piece = (
        "SELECT * FROM (SELECT flow_id, number, taken_at FROM workflows_trace t"
        f" WHERE flow_id = %s AND number >= %s AND number < %s{where}"
        f" ORDER BY number {'ASC' if newer else 'DESC'} LIMIT %s) AS nearest"
    )
    params = [(int(one.stream.key), one.low, one.high, *more, limit) for one in looked]
    rows = sql.fetch_each(piece, params)
    return [Entry(str(flow_id), number, taken_at) for flow_id, number, taken_at in rows]


def _read(shown: Sequence[Entry]) -> list[TraceRow]:
    """The traces of these entries, in their order."""
    numbers: dict[int, list[int]] = {}
    for entry in shown:
        numbers.setdefault(int(entry.stream), []).append(entry.number)
    if not numbers:
        return []
    pieces: list[str] = []
    params: list[int] = []
    for flow_id, some in numbers.items():
        pieces.append(f"(t.flow_id = %s AND t.number IN ({', '.join(['%s'] * len(some))}))")
        params += [flow_id, *some]
    rows = sql.fetch(f"SELECT {COLUMNS} FROM workflows_trace t WHERE {' OR '.join(pieces)}", params)
    found = {(row.flow_id, row.number): row for row in map(row_of, rows)}
    at = [(int(entry.stream), entry.number) for entry in shown]
    return with_paths([found[where] for where in at if where in found])
