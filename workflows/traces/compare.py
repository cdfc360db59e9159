"""Did an event end in a shadow run as it did live? And if not, where do the two first differ? Pure.

Both sides are steps as the recorder wrote them. What counts is where an event ended (delivered,
filtered, failed, …) and what the nodes made of it on the way; not how often it waited or was tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

Step = Mapping[str, Any]
_ON_THE_WAY = frozenset(("waiting", "held", "retrying"))
_LONGEST = 60  # characters of a value


class Verdict(NamedTuple):
    """How the two compare. `kind`: same, content (the ends are the same) or different."""

    kind: str
    node: str = ""
    live: str = ""  # what happened at that node
    shadow: str = ""
    detail: str = ""


def compare(live: Sequence[Step], shadow: Sequence[Step], order: Sequence[str]) -> Verdict:
    """`order` has the nodes of the shadow run's version, each before those behind it."""
    sides = _by_node(live), _by_node(shadow)
    nodes = [*order, *(node for node in sides[0] if node not in order)]
    ends = [{node: _ends(some) for node, some in side.items() if _ends(some)} for side in sides]
    if ends[0] != ends[1]:
        for node in nodes:
            verdict = _at(node, sides[0].get(node, []), sides[1].get(node, []))
            if verdict is not None:
                return verdict
    for node in nodes:
        before, after = sides[0].get(node, []), sides[1].get(node, [])
        made = _made(before), _made(after)
        if made[0] != made[1]:
            path, *values = _first_change(*made)
            says = f"{path} differs" if path else "makes something else"
            return Verdict("content", node, "", says, f"{_short(values[0])} → {_short(values[1])}")
    return Verdict("same")


class Row(NamedTuple):
    """What happened at one node on both sides, and the last thing that it made there."""

    node: str
    live: str
    shadow: str
    differs: bool
    made: tuple[Any, Any]


def table(live: Sequence[Step], shadow: Sequence[Step], order: Sequence[str]) -> list[Row]:
    """Both runs side by side, node by node in the order of the shadow run's version."""
    sides = _by_node(live), _by_node(shadow)
    nodes = [*order, *(node for node in sides[0] if node not in order)]
    rows = []
    for node in nodes:
        both = sides[0].get(node, []), sides[1].get(node, [])
        made = _made(both[0]), _made(both[1])
        told = _told(both[0]), _told(both[1])
        if both[0] or both[1]:
            last = (made[0][-1] if made[0] else None, made[1][-1] if made[1] else None)
            rows.append(Row(node, *told, told[0] != told[1] or made[0] != made[1], last))
    return rows


def _by_node(steps: Sequence[Step]) -> dict[str, list[Step]]:
    out: dict[str, list[Step]] = {}
    for step in steps:
        if step["o"] not in _ON_THE_WAY:
            out.setdefault(str(step["n"]), []).append(step)
    return out


def _ends(steps: Sequence[Step]) -> list[str]:
    """The outcomes behind which there is nothing more, failures with their kind."""
    return sorted(_word(step) for step in steps if step["o"] != "passed")


def _word(step: Step) -> str:
    kind = (step.get("e") or {}).get("kind")
    return f"{step['o']}: {kind}" if kind else str(step["o"])


def _at(node: str, live: Sequence[Step], shadow: Sequence[Step]) -> Verdict | None:
    """How the two differ at this node; None when they don't, or only one of them passed it on."""
    told = _told(live), _told(shadow)
    if told[0] == told[1]:
        return None
    if not (live and shadow) and all(step["o"] == "passed" for step in (*live, *shadow)):
        return None
    detail = next((text for step in shadow or live if (text := _because(step))), "")
    return Verdict("different", node, told[0], told[1], detail)


def _told(steps: Sequence[Step]) -> str:
    """What happened at a node, in a few words."""
    words: dict[str, int] = {}
    for step in steps:
        ports = ", ".join(dict.fromkeys(step.get("p", ()))) if step["o"] == "passed" else ""
        word = _word(step) + (f" by {ports}" if ports and ports != "out" else "")
        words[word] = words.get(word, 0) + 1
    if not words:
        return "not reached"
    return "; ".join(word if n == 1 else f"{n} times {word}" for word, n in sorted(words.items()))


def _because(step: Step) -> str:
    """The first thing that a step gives as its reason."""
    why = step.get("w")
    if step.get("e"):
        return str(step["e"].get("message", ""))
    if not isinstance(why, dict):
        return ""
    for part in why.get("condition") or ():
        if isinstance(part, dict) and part.get("value") is False:
            values = part.get("values") or {}
            known = ", ".join(f"{path} = {_short(value)}" for path, value in values.items())
            return f"{part.get('text', '')} is not met" + (f" ({known})" if known else "")
    return str(why.get("reason", ""))


def _made(steps: Sequence[Step]) -> list[Any]:
    """What a node made of the event, where that differs from what came."""
    return [step["d"] for step in steps if step.get("d") is not None]


def _first_change(before: list[Any], after: list[Any]) -> tuple[str, Any, Any]:
    for old, new in zip(before, after, strict=False):
        for change in _changes("", old, new):
            return change
    return "", before or None, after or None


def _changes(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """The places at which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in (*old, *(name for name in new if name not in old)):
            inner = f"{path}.{name}" if path else str(name)
            yield from _changes(inner, old.get(name), new.get(name))
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
