"""Which failures are alike, and how many letters of each are open? Rows kept with the letters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from workflows.models import DeadGroup
from workflows.storage import sql
from workflows.storage.parts import NewDeadLetter

_MESSAGE, _KIND = 300, 120
_MICRO = 1_000_000


class Wanted(NamedTuple):
    """Which groups; what is empty leaves a filter open. `since` keeps those that have grown since
    then, `text` those whose newest message has it in it."""

    flow: str = ""  # slug
    node: str = ""
    kind: str = ""
    fingerprint: str = ""
    since: float = 0.0
    text: str = ""


class Group(NamedTuple):
    """Open dead letters of one flow that failed in the same way."""

    id: int
    flow_id: int
    flow: str  # slug
    name: str  # of the flow
    node: str
    fingerprint: str
    kind: str
    message: str
    open: int
    first_at: float
    newest_at: float
    newest: int | None  # id of the newest letter


class Beyond(NamedTuple):
    """The group behind which a page begins; `backwards`: before which it ends."""

    newest_at: float
    id: int
    backwards: bool = False


def tally(
    workspace_id: int, flow_id: int, born: Sequence[NewDeadLetter], closed: Mapping[str, int]
) -> None:
    """Count the letters that a transaction adds, and those it closes (by fingerprint). Its caller
    has the flow's clock, so no other one counts in this flow before it commits."""
    alike: dict[str, list[NewDeadLetter]] = {}
    for dead in born:
        alike.setdefault(dead.fingerprint, []).append(dead)
    rows = []
    for fingerprint, some_dead in sorted(alike.items()):
        failure = orjson.loads(some_dead[-1].failure)
        kind = sql.column(str(failure.get("kind", "")), _KIND)
        message = sql.column(str(failure.get("message", "")), _MESSAGE)
        told = (some_dead[0].node, kind, message, len(some_dead))
        span = (round(some_dead[0].dead_at, 6), round(some_dead[-1].dead_at, 6))
        rows.append((workspace_id, flow_id, fingerprint, *told, *span))
    sql.insert_many(
        "workflows_deadgroup",
        "workspace_id, flow_id, fingerprint, node, kind, message, open, first_at, newest_at",
        rows,
        "ON CONFLICT (flow_id, fingerprint) DO UPDATE SET kind = excluded.kind,"
        " message = excluded.message, open = workflows_deadgroup.open + excluded.open,"
        " newest_at = excluded.newest_at",
    )
    _take_off(flow_id, closed)


def uncount(flow_id: int, closed: Mapping[str, int]) -> None:
    """Count letters that a transaction closes outside of a run of their flow."""
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    sql.fetch(f"SELECT change FROM workflows_flowclock WHERE flow_id = %s{lock}", (flow_id,))
    _take_off(flow_id, closed)


def _take_off(flow_id: int, closed: Mapping[str, int]) -> None:
    sql.update_many(
        "workflows_deadgroup",
        "open = open - v.n",
        "f, fp, n",
        "flow_id = v.f AND fingerprint = v.fp",
        [(flow_id, fingerprint, n) for fingerprint, n in sorted(closed.items())],
    )


_COLUMNS = (
    "g.id, g.flow_id, f.slug, f.name, g.node, g.fingerprint, g.kind, g.message, g.open,"
    " g.first_at, g.newest_at, (SELECT MAX(d.id) FROM workflows_deadletter d"
    " WHERE d.flow_id = g.flow_id AND d.state = 'open' AND d.fingerprint = g.fingerprint)"
)
# SQLite's LOWER knows no letters but those of ASCII, so the text is lowered in the same way.
_HAS_TEXT = {
    True: "strpos(lower(g.message), lower(%s)) > 0",
    False: "instr(lower(g.message), lower(%s)) > 0",
}
_FROM = " FROM workflows_deadgroup g JOIN workflows_flow f ON f.id = g.flow_id"


def page(
    workspace_id: int, wanted: Wanted, beyond: Beyond | None, limit: int
) -> tuple[list[Group], bool]:
    """The groups with open letters, the one that grew last first, and whether more lie beyond."""
    where, params = _where(workspace_id, wanted)
    backwards = beyond is not None and beyond.backwards
    if beyond is not None:
        where += f" AND (g.newest_at, g.id) {'>' if backwards else '<'} (%s, %s)"
        params += [beyond.newest_at, beyond.id]
    order = "ASC" if backwards else "DESC"
    found = [
        Group(*row)
        for row in sql.fetch(
            f"SELECT {_COLUMNS}{_FROM}{where} ORDER BY g.newest_at {order}, g.id {order} LIMIT %s",
            (*params, limit + 1),
        )
    ]
    shown = found[:limit]
    return shown[::-1] if backwards else shown, len(found) > limit


def bounds(group: Group) -> dict[str, int]:
    """A group's place in the order of pages, as cursors and addresses carry it."""
    return {"0": round(group.newest_at * _MICRO), "1": group.id}


def beyond(bounds: Mapping[str, int], backwards: bool = False) -> Beyond | None:
    """What `bounds` made, read back; None for what isn't that."""
    if not {"0", "1"} <= set(bounds):
        return None
    return Beyond(bounds["0"] / _MICRO, bounds["1"], backwards)


def some(workspace_id: int, wanted: Wanted, limit: int) -> list[tuple[int, str, int]]:
    """(flow id, fingerprint, open letters) of each group, the oldest failure first."""
    where, params = _where(workspace_id, wanted)
    return [
        (flow_id, fingerprint, int(n))
        for flow_id, fingerprint, n in sql.fetch(
            f"SELECT g.flow_id, g.fingerprint, g.open{_FROM}{where}"
            " ORDER BY g.first_at, g.id LIMIT %s",
            (*params, limit),
        )
    ]


def totals(workspace_id: int, wanted: Wanted) -> tuple[int, int]:
    """How many groups there are, and how many open letters in all of them."""
    where, params = _where(workspace_id, wanted)
    groups, letters = sql.fetch(f"SELECT COUNT(*), SUM(g.open){_FROM}{where}", params)[0]
    return int(groups), int(letters or 0)


def open_letters(flow_ids: Sequence[int]) -> dict[int, int]:
    """Flow id -> its open letters; absent means none."""
    return sql.numbers(
        "SELECT flow_id, SUM(open) FROM workflows_deadgroup"
        " WHERE open > 0 AND flow_id IN ({ids}) GROUP BY flow_id",
        flow_ids,
    )


def count_since(workspace_id: int, wanted: Wanted) -> int:
    """How many open letters of these groups died since then."""
    where, params = _where(workspace_id, wanted)
    rows = sql.fetch(
        f"SELECT COUNT(*){_FROM} JOIN workflows_deadletter d ON d.flow_id = g.flow_id"
        f" AND d.state = 'open' AND d.fingerprint = g.fingerprint AND d.dead_at >= %s{where}",
        (wanted.since, *params),
    )
    return int(rows[0][0])


def named(flow_id: int, fingerprint: str) -> DeadGroup | None:
    """One group, also when none of its letters is open any more."""
    return DeadGroup.objects.filter(flow_id=flow_id, fingerprint=fingerprint).first()


def names(workspace_id: int, flow: str, limit: int) -> tuple[list[str], list[str]]:
    """The nodes and the kinds that filters can choose from."""
    where, params = _where(workspace_id, Wanted(flow=flow))
    nodes, kinds = (
        [
            row[0]
            for row in sql.fetch(
                f"SELECT DISTINCT g.{column}{_FROM}{where} ORDER BY g.{column} LIMIT %s",
                (*params, limit),
            )
        ]
        for column in ("node", "kind")
    )
    return nodes, kinds


def _where(workspace_id: int, wanted: Wanted) -> tuple[str, list[object]]:
    more, params = sql.equal(
        {
            "f.slug": wanted.flow,
            "g.node": wanted.node,
            "g.kind": wanted.kind,
            "g.fingerprint": wanted.fingerprint,
        }
    )
    where = f" WHERE g.workspace_id = %s AND g.open > 0{more}"
    params = [workspace_id, *params]
    if wanted.since:
        where += " AND g.newest_at >= %s"
        params.append(wanted.since)
    if wanted.text:
        where += f" AND {_HAS_TEXT[sql.is_postgres()]}"
        params.append(wanted.text)
    return where, params
