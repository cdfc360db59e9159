"""What became of a trace? One line, in plain words, for each place where its event is or ended."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from workflows.storage import deadletters, sql, traces
from workflows.storage.parked import BEHIND, EFFECTS, HELD, Table
from workflows.storage.parts import TraceRef
from workflows.storage.traces import TraceRow

_MOST = 20  # lines of a kind for one trace
_LONGEST = 200  # characters of a reason

Names = Mapping[str, str]  # node id -> name


class Place(NamedTuple):
    """One place where an event is, or where it ended. `link` names what `ref` is the number of:
    event, trace, dead_letter, or "" when there is nothing to look at."""

    what: str  # accepted, queued, passed_by, taken, filtered, delivered, held, waiting, …
    state: str  # ok, filtered, failed, running, queued, held
    says: str
    link: str = ""
    ref: str = ""
    at: float | None = None
    until: float | None = None
    flow: str = ""  # slug
    node: str = ""
    follow: str = ""  # the id of an event that this one caused


def of_trace(row: TraceRow, flow: str, names: Names) -> list[Place]:
    """Where the event is in this trace: parked places first, then where it ended, then what it
    caused. At most `_MOST` of each."""
    segments = traces.segments(row.ref)
    found = _parked(row, names) if row.ended_at is None else []
    letters = _letters(row, names) if row.error or row.state == "failed" else []
    ends = [end for segment in segments for end in _ends(segment, names, bool(letters))]
    caused = [place for segment in segments for place in _caused(segment)]
    places = [*found, *letters, *_bounded(ends), *_bounded(caused)]
    return [_linked(place, row.ref, flow) for place in places]


def _linked(place: Place, ref: TraceRef, flow: str) -> Place:
    place = place._replace(flow=flow)
    return place if place.link else place._replace(link="trace", ref=str(ref))


def _bounded(places: list[Place]) -> list[Place]:
    if len(places) <= _MOST:
        return places
    rest = len(places) - _MOST
    return [*places[:_MOST], Place("more", "ok", f"And {rest:,} more places like these.")]


_OF_TRACE = (
    "flow_id = %s AND number > %s AND subscription_id = %s"
    ' AND "partition" = %s AND "offset" = %s AND run = %s ORDER BY number LIMIT %s'
)


def _parked(row: TraceRow, names: Names) -> list[Place]:
    """What waits. Rows that a trace left have higher numbers than the trace itself."""
    params = (row.flow_id, row.number, *row.ref, _MOST)
    held = sql.fetch(
        f"SELECT node, lane, due_at, reason, since, until FROM workflows_held WHERE {_OF_TRACE}",
        params,
    )
    effects = sql.fetch(
        "SELECT node, lane, due_at, attempt, owner, failure FROM workflows_effect"
        f" WHERE {_OF_TRACE}",
        params,
    )
    lost = _lost(row) if len(held) + len(effects) < _MOST else 0
    return [
        *(
            _behind(HELD, row.flow_id, names, *one[:2])
            if one[2] >= BEHIND
            else _held(names, one[0], *one[3:])
            for one in held
        ),
        *(
            _behind(EFFECTS, row.flow_id, names, *one[:2])
            if one[2] >= BEHIND
            else _effect(names, one[0], *one[2:])
            for one in effects
        ),
        *([Place("lost", "failed", _LOST.format(lost))] if lost > 0 else []),
    ]


_LOST = "Arrivals that neither wait nor have ended: {}. See the alarms of the flow."


def _lost(row: TraceRow) -> int:
    """How many of a trace's open arrivals are parked nowhere. One statement, so of one moment."""
    parked = " - ".join(
        f"(SELECT COUNT(*) FROM {table} WHERE flow_id = t.flow_id AND number > t.number"
        " AND subscription_id = t.subscription_id"
        ' AND "partition" = t."partition" AND "offset" = t."offset" AND run = t.run)'
        for table in ("workflows_held", "workflows_effect")
    )
    found = sql.fetch(
        f"SELECT t.open - {parked} FROM workflows_trace t WHERE t.subscription_id = %s"
        ' AND t."partition" = %s AND t."offset" = %s AND t.run = %s',
        tuple(row.ref),
    )
    return int(found[0][0]) if found else 0


def _behind(table: Table, flow_id: int, names: Names, node: str, lane: str) -> Place:
    """What waits in its lane: behind whom, which is what there is to look at."""
    says = f"Waits for its turn at {name_in(names, node)}"
    head = sql.fetch(
        'SELECT p.subscription_id, p."partition", p."offset", p.run, t.event_id'
        f" FROM {table.name} p JOIN workflows_trace t ON t.subscription_id = p.subscription_id"
        ' AND t."partition" = p."partition" AND t."offset" = p."offset" AND t.run = p.run'
        " WHERE p.flow_id = %s AND p.node = %s AND p.lane = %s ORDER BY p.number LIMIT 1",
        (flow_id, node, lane),
    )
    if not head:
        return Place("waiting", "held", f"{says}.", node=node)
    blocker = str(TraceRef(*head[0][:4]))
    says = f"{says}, behind event {head[0][4]}."
    return Place("waiting", "held", says, "trace", blocker, node=node)


def _held(names: Names, node: str, reason: str, since: float, until: float) -> Place:
    says = _sentence("Held", name_in(names, node), reason)
    return Place("held", "held", says, at=since, until=until, node=node)


def _effect(
    names: Names, node: str, due_at: float, attempt: int, owner: str, failure: Any
) -> Place:
    name = name_in(names, node)
    if owner:
        says = f"Waits for the reply at {name} (attempt {attempt})."
        return Place("waiting", "running", says, node=node)
    if failure is not None:
        message = str(orjson.loads(bytes(failure)).get("message", ""))
        head = f"Attempt {attempt} at {name} failed, and another follows"
        return Place("retrying", "held", _sentence(head, "", message), until=due_at, node=node)
    return Place("waiting", "held", f"Waits for its turn at {name}.", node=node)


_LETTER = {
    "open": ("failed", "Dead letter"),
    "redriven": ("filtered", "Dead letter that was run again"),
    "discarded": ("filtered", "Dead letter that was discarded"),
}


def _letters(row: TraceRow, names: Names) -> list[Place]:
    out = []
    for letter in deadletters.of_trace(row.flow_id, row.ref)[:_MOST]:
        state, word = _LETTER[letter.state]
        failure = letter.failure if isinstance(letter.failure, dict) else {}
        says = _sentence(word, name_in(names, letter.node), str(failure.get("message", "")))
        out.append(
            Place("dead", state, says, "dead_letter", str(letter.pk), letter.dead_at)._replace(
                node=letter.node
            )
        )
    return out


_ENDS = {
    "filtered": ("filtered", "Filtered out"),
    "deduplicated": ("filtered", "Set aside as a repeat"),
    "batched": ("filtered", "Went into another event"),
    "expired": ("filtered", "Expired"),
    "delivered": ("ok", "Delivered"),
    "dead": ("failed", "Failed"),
}


def _ends(segment: Mapping[str, Any], names: Names, has_letters: bool) -> list[Place]:
    out = []
    for step in segment["steps"]:
        outcome, node = step["o"], str(step["n"])
        if outcome not in _ENDS or (outcome == "dead" and has_letters):
            continue  # the dead letter itself says more
        state, word = _ENDS[outcome]
        because = (step.get("e") or {}).get("message") or _because(step.get("w"))
        says = _sentence(word, name_in(names, node), str(because))
        out.append(Place(outcome, state, says, at=float(segment["at"]), node=node))
    return out


def _because(why: Any) -> str:
    """The first thing that a step's record gives as the reason."""
    if not isinstance(why, dict):
        return ""
    if why.get("reason"):
        return str(why["reason"])
    for part in why.get("condition") or ():
        if isinstance(part, dict) and part.get("value") is False:
            values = part.get("values") or {}
            known = ", ".join(f"{path} = {_short(value)}" for path, value in values.items())
            return f"{part.get('text', '')} is not met" + (f" ({known})" if known else "")
    if why.get("unwired"):
        return f"nothing is wired to {', '.join(map(str, why['unwired']))}"
    return ""


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:39]}…"


def _caused(segment: Mapping[str, Any]) -> list[Place]:
    return [
        Place(
            "caused",
            "ok",
            f"Caused event {event_id} in channel {channel}.",
            at=float(segment["at"]),
            follow=str(event_id),
        )
        for channel, event_id in segment.get("published", ())
    ]


def name_in(names: Names, node: str) -> str:
    """The node's name in quotes; its id when the version doesn't have it."""
    return f"“{names.get(node) or node}”"


def _sentence(head: str, name: str, reason: str) -> str:
    text = f"{head} at {name}" if name else head
    reason = reason.strip().rstrip(".")[:_LONGEST]
    return f"{text}: {reason}." if reason else f"{text}."
