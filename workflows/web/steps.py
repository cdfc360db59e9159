"""How does a page tell what a trace's steps did, in words that people know?"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from workflows.web.inputs import inputs_of
from workflows.web.jsonview import Line, coloured, compare, short


class Look(NamedTuple):
    """How a node is shown."""

    name: str
    label: str
    icon: str
    role: str
    summary: str


class Leaf(NamedTuple):
    """One part of a condition. `mark` is yes, no, skipped, error or value."""

    mark: str
    text: str
    value: str
    values: tuple[tuple[str, str], ...]


class Verdict(NamedTuple):
    """A condition with its parts; `title` names a switch's case, `result` completes a sentence."""

    title: str
    result: str
    leaves: tuple[Leaf, ...]


class Step(NamedTuple):
    """One step, ready to be shown."""

    node: str
    look: Look
    state: str
    word: str
    ports: tuple[str, ...]
    at: datetime
    own_ms: float
    effect_ms: float
    attempt: int
    verdicts: tuple[Verdict, ...]
    says: tuple[str, ...]  # reasons, in sentences
    until: datetime | None
    detail: SafeString | None
    error: dict[str, Any] | None
    error_detail: SafeString | None
    todo: str
    changes: list[Line]  # the output, marked where it differs from the input
    output: SafeString | None
    input: SafeString | None
    bar_x: float  # where the step lies in the trace's time, in percent
    bar_width: float


WORDS = {
    "passed": ("ok", "Passed on"),
    "filtered": ("filtered", "Filtered"),
    "deduplicated": ("filtered", "Repeat set aside"),
    "batched": ("filtered", "Joined with others"),
    "expired": ("filtered", "Expired"),
    "delivered": ("ok", "Delivered"),
    "dead": ("failed", "Dead letter"),
    "held": ("held", "Held"),
    "waiting": ("held", "Waits for the answer"),
    "retrying": ("held", "Will be tried again"),
}
_RESULTS = {True: "is met", False: "is not met"}
_TODO = {
    "crash": "A redrive runs it alone, so that it harms nothing else: edit it or publish a mended"
    " version first.",
    "timeout": "The receiver took too long. Look whether it is overloaded, or allow more time.",
    "connection": "The receiver couldn't be reached. Check the address and whether it is up.",
    "refused": "This address may not be called. EVENTFLOW_HTTP_ALLOW lists private networks.",
    "too_large": "The answer was too large. Ask the receiver for less.",
    "invalid": "The request couldn't be made. Check the address and the headers.",
    "expression": "Mend the expression, or test with has(…) for what may be missing; then redrive.",
    "unknown-node": "The node is gone from this version. Publish one that has it, then redrive.",
    "parked": "Somebody took it out of its lane. Redrive it when what held it up is mended.",
    "limit": "One event led to too many others. Look for a loop, or split less.",
    "path": "Change the path, or filter out events that don't fit it; then redrive.",
    "attribute": "Give the expression a text that isn't empty; then redrive.",
}


def show(
    segments: Sequence[Mapping[str, Any]],
    wires: Sequence[Mapping[str, Any]],
    looks: Mapping[str, Look],
    origin: dict[str, Any] | None,
    span: tuple[float, float],
) -> list[Step]:
    """All steps of a trace in order. `span` is its beginning and end, in Unix seconds."""
    timed = [timed for segment in segments for timed in _timed(segment)]
    came = inputs_of([step for _, step in timed], wires, origin)
    return [
        _show(step, at, looks, event, span) for (at, step), event in zip(timed, came, strict=True)
    ]


def _timed(segment: Mapping[str, Any]) -> list[tuple[float, Mapping[str, Any]]]:
    """Each step with the moment it ended: they ran one after the other, and then was the commit."""
    out = []
    moment = float(segment["at"])
    for step in reversed(segment["steps"]):
        out.append((moment, step))
        moment -= step.get("t", 0) / 1_000_000
    return out[::-1]


def todo_for(kind: str) -> str:
    """What to do about a failure of that kind; "" when nothing general can be said."""
    if kind.startswith("bug:"):
        return "This is a fault in the node type. Its message and this trace help its author."
    if kind.startswith("status-5") or kind == "status-429":
        return "The receiver has trouble of its own. Redrive when it is well again."
    if kind.startswith("status-"):
        return "The receiver refuses the request. Compare its answer with what is sent."
    return _TODO.get(kind, "")


def _show(
    step: Mapping[str, Any],
    at: float,
    looks: Mapping[str, Look],
    came: dict[str, Any] | None,
    span: tuple[float, float],
) -> Step:
    state, word = WORDS.get(step["o"], ("filtered", str(step["o"])))
    why, error, made = step.get("w"), step.get("e"), step.get("d")
    why = why if isinstance(why, dict) else {}
    own_ms, effect_ms = step.get("t", 0) / 1000, float(step.get("x", 0.0))
    x, width = _bar(at, own_ms + effect_ms, span)
    node = str(step["n"])
    until, detail = why.get("until"), why.get("detail")
    error_detail = error.get("detail") if error else None
    both = came is not None and made is not None and "specversion" in made
    return Step(
        node=node,
        look=looks.get(node, Look(node, "A node that is gone", "circle-help", "unknown", "")),
        state=state,
        word=word,
        ports=tuple(dict.fromkeys(step.get("p", ()))),
        at=datetime.fromtimestamp(at, UTC),
        own_ms=own_ms,
        effect_ms=effect_ms,
        attempt=step.get("a", 0),
        verdicts=tuple(_verdicts(why)),
        says=tuple(_sentences(why)),
        until=datetime.fromtimestamp(until, UTC) if isinstance(until, int | float) else None,
        detail=None if detail is None else coloured(detail),
        error=error,
        error_detail=None if error_detail is None else coloured(error_detail),
        todo=todo_for(str(error.get("kind", ""))) if error else "",
        changes=compare(came, made) if both else [],
        output=None if made is None else coloured(made),
        input=None if came is None else coloured(came),
        bar_x=x,
        bar_width=width,
    )


def _bar(at: float, took_ms: float, span: tuple[float, float]) -> tuple[float, float]:
    begin, end = span
    whole = max(end - begin, 1e-6)
    start = min(max((at - took_ms / 1000 - begin) / whole, 0.0), 1.0)
    width = min(took_ms / 1000 / whole, 1.0 - start)
    return round(100 * start, 2), round(max(100 * width, 0.4), 2)


def _verdicts(why: Mapping[str, Any]) -> Iterator[Verdict]:
    if isinstance(why.get("condition"), list):
        yield _verdict("", why)
    for case in why.get("switch") or ():
        if isinstance(case, dict):
            yield _verdict(str(case.get("case", "")), case)


def _verdict(title: str, why: Mapping[str, Any]) -> Verdict:
    met = why.get("result")
    result = _RESULTS[met] if isinstance(met, bool) else "could not be worked out"
    leaves = tuple(_leaf(row) for row in why.get("condition", ()) if isinstance(row, dict))
    return Verdict(title, result, leaves)


def _leaf(row: Mapping[str, Any]) -> Leaf:
    value = row.get("value")
    if row.get("skipped"):
        mark = "skipped"
    elif "error" in row:
        mark = "error"
    elif isinstance(value, bool):
        mark = "yes" if value else "no"
    else:
        mark = "value"
    shown = str(row.get("error", "")) if mark == "error" else short(value)
    values = tuple((str(name), short(one)) for name, one in (row.get("values") or {}).items())
    return Leaf(mark, str(row.get("text", "")), shown, values)


def _sentences(why: Mapping[str, Any]) -> Iterator[str]:
    if why.get("reason"):
        yield str(why["reason"])
    if why.get("unwired"):
        ports = ", ".join(str(port) for port in why["unwired"])
        yield f"It left by {ports}, which leads nowhere."
    if "because" in why:
        yield short(why["because"], 300)
