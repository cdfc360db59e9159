"""How is what happened to a trace in one run written down?

A segment is JSON: `{"at": seconds, "steps": [step, …]}`, a step having the short keys of `_step`;
with `"published": [[channel, event id], …]` where the run put events into channels, and with
`"replies"` where the world answered (`storage/recorded.py`).
"""

from collections.abc import Sequence
from typing import Any

import orjson

from workflows.engine.walk import Step
from workflows.storage.recorded import Recorded


def segment(
    now: float,
    steps: list[Step],
    published: list[tuple[str, str]] | None,
    replies: Sequence[Recorded] = (),
) -> bytes:
    """The steps of one trace in one run, as they lie in the database."""
    out: dict[str, Any] = {"at": now, "steps": [_step(step) for step in steps]}
    if published:
        out["published"] = published
    if replies:
        out["replies"] = [tuple(one) for one in replies]  # orjson takes no named ones
    return orjson.dumps(out)


def _step(step: Step) -> dict[str, Any]:
    """n node, o outcome, t own microseconds; where there is any: p ports, w why, d output,
    e error, x effect milliseconds, a attempt and k the way by which the event had come."""
    out: dict[str, Any] = {"n": step.node, "o": step.outcome, "t": step.own_us}
    if step.ports:
        out["p"] = step.ports
    if step.why is not None:
        out["w"] = step.why
    if step.output is not None:
        out["d"] = step.output
    if step.error is not None:
        out["e"] = step.error
    if step.effect_ms:
        out["x"] = round(step.effect_ms, 2)
    if step.attempt:
        out["a"], out["k"] = step.attempt, step.path
    return out
