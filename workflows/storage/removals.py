"""What becomes of arrivals that are held at nodes which a new version doesn't have?

They are pinned to the version that took them and finish there, unless somebody decides otherwise
when the new version is published: then they are handed to the new version, and are due at once.
Without their node it can only end them: as dead letters, or dropped. Calls under way are finished.
"""

from collections.abc import Collection

from workflows.models import Removal
from workflows.storage import sql

CHOICES = {
    "finish": "Finish them on the version that runs now",
    "dead_letter": "Make dead letters of them",
    "drop": "Drop them",
}
_CHUNK = 400

_IDLE = "(owner = '' OR due_at <= {now})"  # the others are in somebody's hands right now
_COLUMNS = 'flow_id, number, {version}, node, subscription_id, "partition", "offset", run, path'


def held_at_removed(flow_id: int, nodes: Collection[str]) -> dict[str, int]:
    """Node -> how many arrivals it holds, of the nodes of a flow that aren't among `nodes`."""
    rows = sql.fetch(
        "SELECT node, COUNT(*) FROM (SELECT node FROM workflows_held WHERE flow_id = %s"
        " UNION ALL SELECT node FROM workflows_effect WHERE flow_id = %s) AS parked"
        " GROUP BY node ORDER BY node",
        (flow_id, flow_id),
    )
    return {node: int(n) for node, n in rows if node not in nodes}


def hand_over(flow_id: int, version_id: int, nodes: Collection[str], how: str) -> None:
    """Let `version_id` end what these nodes hold, which it doesn't have. Part of publishing it."""
    for node in nodes:
        Removal.objects.update_or_create(flow_id=flow_id, node=node, defaults={"how": how})
        _hold_effects(flow_id, version_id, node)
        sql.execute(
            "UPDATE workflows_held SET version_id = %s, lane = NULL, due_at = 0"
            f" WHERE flow_id = %s AND node = %s AND {_IDLE.format(now=sql.now_sql())}",
            (version_id, flow_id, node),
        )


def forget(flow_id: int, nodes: Collection[str]) -> None:
    """Nodes that a version has again are no longer removed."""
    Removal.objects.filter(flow_id=flow_id, node__in=nodes).delete()


def dropped(flow_id: int) -> frozenset[str]:
    """The removed nodes of a flow whose held arrivals are dropped."""
    found = Removal.objects.filter(flow_id=flow_id, how=Removal.How.DROP)
    return frozenset(found.values_list("node", flat=True))


def _hold_effects(flow_id: int, version_id: int, node: str) -> None:
    """Calls that wait for their turn or another try become held arrivals: nobody makes them."""
    lock = " FOR UPDATE" if sql.is_postgres() else ""
    numbers = [
        row[0]
        for row in sql.fetch(
            "SELECT number FROM workflows_effect WHERE flow_id = %s AND node = %s"
            f" AND {_IDLE.format(now=sql.now_sql())} ORDER BY number{lock}",
            (flow_id, node),
        )
    ]
    into, came = _COLUMNS.format(version="version_id"), _COLUMNS.format(version="%s")
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        which = f"flow_id = %s AND number IN ({', '.join(['%s'] * len(part))})"
        sql.execute(
            f"INSERT INTO workflows_held ({into}, event, reason, since, until, attempt, owner,"
            f" due_at) SELECT {came}, event, 'Its node was removed.', {sql.now_sql()},"
            f" {sql.now_sql()}, 0, '', 0 FROM workflows_effect WHERE {which}",
            (version_id, flow_id, *part),
        )
        sql.execute(f"DELETE FROM workflows_effect WHERE {which}", (flow_id, *part))
