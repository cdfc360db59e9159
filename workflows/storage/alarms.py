"""Where doesn't the accounting come out even, or who lost events, and since when?

Raised once, resolved by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet

from workflows.models import Alarm
from workflows.storage import cursors, gaps, sql
from workflows.storage.accounting import Finding, Result

_QUIET_SECONDS = 20.0  # a flow in which nothing happens is looked at this often
_UNRESOLVED = ("open", "acknowledged")
_SAYS = 600  # characters that are kept


class Checks(NamedTuple):
    """How a flow's accounting stands."""

    alarms: int  # that aren't resolved
    unchecked: int  # events taken whose traces have still to be looked at


def due(limit: int) -> list[int]:
    """The flows to be looked at now, the one that waited longest first: those in which something
    happened since, those with an alarm, and all others now and then."""
    now = sql.now_sql()
    return [
        int(row[0])
        for row in sql.fetch(
            "SELECT c.flow_id FROM workflows_flowclock c"
            " JOIN workflows_flow f ON f.id = c.flow_id AND f.published_id IS NOT NULL"
            " LEFT JOIN workflows_flowcheck k ON k.flow_id = c.flow_id"
            f" WHERE k.flow_id IS NULL OR (k.due_at <= {now}"
            f" AND (k.change <> c.change OR k.checked_at < {now} - {_QUIET_SECONDS}))"
            " ORDER BY COALESCE(k.checked_at, 0) LIMIT %s",
            (limit,),
        )
    ]


def record(results: Sequence[tuple[Result, float]]) -> list[tuple[int, Finding]]:
    """Keep what was found in one transaction; beside each result, seconds until the flow is due.

    An alarm is raised when there is none for that flow, node and kind, else brought up to date;
    those that weren't found again are resolved. The flow ids and findings that are new.
    """
    raised: list[tuple[int, Finding]] = []
    if not results:
        return raised
    with sql.write():
        now = sql.database_now()
        for result, pause in results:
            _keep_check(result, now, now + pause)
            for look in result.looks:
                gaps.keep(look)
            known = _resolve(result, now)
            for finding in result.findings:
                _raise(result.flow_id, finding, now)
                if (finding.node, finding.kind) not in known:
                    raised.append((result.flow_id, finding))
    return raised


def _keep_check(result: Result, now: float, due_at: float) -> None:
    # Unfinished or uneven: look again when it is due, also when nothing happens in the flow.
    again = result.findings or not all(look.is_whole for look in result.looks)
    sql.execute(
        "INSERT INTO workflows_flowcheck (flow_id, change, checked_at, due_at)"
        " SELECT id, %s, %s, %s FROM workflows_flow WHERE id = %s ON CONFLICT (flow_id) DO UPDATE"
        " SET change = excluded.change, checked_at = excluded.checked_at,"
        " due_at = excluded.due_at",
        (-1 if again else result.change, now, due_at, result.flow_id),
    )


def _resolve(result: Result, now: float) -> set[tuple[str, str]]:
    """Resolve what isn't found any more; the (node, kind) that were known before."""
    known = set()
    still = {(finding.node, finding.kind) for finding in result.findings}
    for alarm_id, node, kind in sql.fetch(
        "SELECT id, node, kind FROM workflows_alarm WHERE flow_id = %s AND state <> 'resolved'"
        " AND kind <> 'expired'",
        (result.flow_id,),
    ):
        known.add((node, kind))
        if (node, kind) not in still:
            sql.execute(
                "UPDATE workflows_alarm SET state = 'resolved', resolved_at = %s WHERE id = %s",
                (now, alarm_id),
            )
    return known


def _raise(flow_id: int, finding: Finding, now: float) -> None:
    sql.execute(
        "INSERT INTO workflows_alarm"
        " (flow_id, node, kind, says, difference, state, first_seen, last_seen)"
        " SELECT id, %s, %s, %s, %s, 'open', %s, %s FROM workflows_flow WHERE id = %s"
        " ON CONFLICT (flow_id, node, kind) WHERE state IN ('open', 'acknowledged') DO UPDATE"
        " SET says = excluded.says, difference = excluded.difference,"
        " last_seen = excluded.last_seen",
        (
            finding.node,
            finding.kind,
            sql.column(finding.says, _SAYS),
            finding.difference,
            now,
            now,
            flow_id,
        ),
    )


def raise_expired(flow_id: int, node: str, says: str, n: int) -> None:
    """Tell that a producer was moved past `n` unread events. Part of the transaction that does."""
    now = sql.database_now()
    sql.execute(
        "INSERT INTO workflows_alarm"
        " (flow_id, node, kind, says, difference, state, first_seen, last_seen)"
        " VALUES (%s, %s, 'expired', %s, %s, 'open', %s, %s)"
        " ON CONFLICT (flow_id, node, kind) WHERE state IN ('open', 'acknowledged') DO UPDATE"
        " SET says = excluded.says, last_seen = excluded.last_seen,"
        " difference = workflows_alarm.difference + excluded.difference",
        (flow_id, node, sql.column(says, _SAYS), n, now, now),
    )


def resolve_expired() -> int:
    """Resolve what was told of producers that have caught up since: nothing of them is unread."""
    now = sql.now_sql()
    return sql.execute(
        f"UPDATE workflows_alarm SET state = 'resolved', resolved_at = {now}"
        " WHERE kind = 'expired' AND state <> 'resolved' AND NOT EXISTS"
        f" (SELECT 1{cursors.LAGGING} AND s.flow_id = workflows_alarm.flow_id"
        " AND s.node = workflows_alarm.node)"
    )


def listed(workspace_id: int, *, flow: str = "", state: str = "") -> QuerySet[Alarm]:
    """The alarms of a workspace, each with its flow; "" leaves a filter open. `flow` is a slug."""
    found = Alarm.objects.filter(flow__workspace_id=workspace_id)
    if flow:
        found = found.filter(flow__slug=flow)
    if state:
        found = found.filter(state=state)
    return found.select_related("flow", "acknowledged_by")


def unresolved(flow_id: int) -> list[Alarm]:
    """What doesn't come out even in a flow now, the oldest first."""
    return list(Alarm.objects.filter(flow_id=flow_id, state__in=_UNRESOLVED).order_by("id"))


def acknowledge(workspace_id: int, alarm_id: int, user_id: int | None) -> Alarm | None:
    """Note that somebody knows of it; it stays until the figures are even again. The alarm as it
    is then, unchanged when it wasn't open; None when there is none of that number."""
    Alarm.objects.filter(
        pk=alarm_id, flow__workspace_id=workspace_id, state=Alarm.State.OPEN
    ).update(
        state=Alarm.State.ACKNOWLEDGED,
        acknowledged_at=sql.database_now(),
        acknowledged_by_id=user_id,
    )
    return listed(workspace_id).filter(pk=alarm_id).first()


def figures(workspace_id: int) -> list[tuple[str, str, str, int]]:
    """(flow, node, kind, difference) of every alarm that isn't resolved."""
    found = listed(workspace_id).exclude(state=Alarm.State.RESOLVED).order_by("id")
    return list(found.values_list("flow__slug", "node", "kind", "difference"))


def checks(workspace_id: int) -> dict[str, Checks]:
    """By flow, how its accounting stands."""
    return {
        slug: Checks(int(standing), int(unchecked))
        for slug, standing, unchecked in sql.fetch(
            "SELECT f.slug, (SELECT COUNT(*) FROM workflows_alarm a WHERE a.flow_id = f.id"
            " AND a.state <> 'resolved'), COALESCE((SELECT SUM(c.position - k.checked)"
            " FROM workflows_subscription s"
            " JOIN workflows_cursor c ON c.subscription_id = s.id"
            " JOIN workflows_cursorcheck k ON k.subscription_id = c.subscription_id"
            ' AND k."partition" = c."partition" WHERE s.flow_id = f.id), 0)'
            " FROM workflows_flow f WHERE f.workspace_id = %s",
            (workspace_id,),
        )
    }
