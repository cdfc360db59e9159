"""Is everything accounted for? Flow by flow, a little at a time, for as long as the house runs."""

import logging
import time

from workflows.storage import accounting, alarms

logger = logging.getLogger(__name__)

_FLOWS = 100  # a round
_ROUND_SECONDS = 0.005  # a worker's next task waits so long
_TRACES = 10_000  # a round looks at
_PAUSE_SECONDS = 5.0  # between two looks at a flow, at least
_SHARE = 50  # a look that takes long is made so much more seldom: at most 1/50 of a core a flow


def audit() -> int:
    """One round: the flows that are due, as many as there is time for, but one at least; how many
    it looked at."""
    end = time.monotonic() + _ROUND_SECONDS
    budget = _TRACES
    results: list[tuple[accounting.Result, float]] = []
    for flow_id in alarms.due(_FLOWS):
        begun = time.monotonic()
        if results and begun > end:
            break
        result = accounting.examine(flow_id, budget)
        budget -= sum(look.counted for look in result.looks)
        is_whole = all(look.is_whole for look in result.looks)
        pause = max(_PAUSE_SECONDS, _SHARE * (time.monotonic() - begun)) if is_whole else 0.0
        results.append((result, pause))
    for flow_id, finding in alarms.record(results):
        logger.error("flow %d doesn't add up at %s: %s", flow_id, finding.node, finding.says)
    return len(results)
