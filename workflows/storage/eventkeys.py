"""Which keys do the events of traces have? As the log keeps them: what partitions go by."""

from collections.abc import Collection

from workflows.storage import sql
from workflows.storage.parts import TraceRef


def of_traces(refs: Collection[TraceRef]) -> dict[TraceRef, str]:
    """The key of each trace's event; of one that the log doesn't have, "". Asks for nothing when
    there is nothing to ask for."""
    wanted = sorted({tuple(ref[:3]) for ref in refs})
    found = {
        TraceRef(*place): key
        for *place, key in sql.find_many(
            "SELECT v.s, v.p, v.o, e.key FROM v"
            " JOIN workflows_subscription s ON s.id = v.s"
            " JOIN workflows_event e ON e.channel_id = s.channel_id"
            ' AND e."partition" = v.p AND e."offset" = v.o',
            "s, p, o",
            wanted,
        )
    }
    return {ref: found.get(ref._replace(run=0), "") for ref in refs}
