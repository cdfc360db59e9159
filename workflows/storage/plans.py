"""Which plan belongs to a version? Compiled once per process: versions never change."""

from functools import lru_cache

import msgspec
import orjson

from workflows.engine.compile import compile_flow
from workflows.engine.plan import Plan
from workflows.nodes.registry import node_types
from workflows.storage import removals, sql


class PlanMissing(Exception):
    """The version is gone, or this installation can't run it (say, a node type is missing)."""


@lru_cache(maxsize=512)
def load_plan(version_id: int) -> Plan:
    """The compiled version. Raises `PlanMissing` with a reason for people."""
    rows = sql.fetch(
        "SELECT v.document, v.number, f.slug, w.slug, f.id FROM workflows_flowversion v"
        " JOIN workflows_flow f ON f.id = v.flow_id"
        " JOIN workflows_workspace w ON w.id = f.workspace_id WHERE v.id = %s",
        (version_id,),
    )
    if not rows:
        raise PlanMissing("this version was deleted")
    document, number, flow, workspace, flow_id = rows[0]
    if isinstance(document, str):
        document = orjson.loads(document)
    plan, problems = compile_flow(
        document, node_types(), workspace=workspace, flow=flow, version=number
    )
    if plan is None:
        raise PlanMissing("; ".join(f"{p.node}: {p.says}" for p in problems))
    gone = removals.dropped(flow_id)
    return msgspec.structs.replace(plan, dropped=gone) if gone else plan
