"""Where do nodes stand that a flow file gives no place? In columns, along the wires."""

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMN, _ROW = 320, 120  # from card to card; a card has 220 by 64
_FIRST = 40


def place(document: Mapping[str, Any]) -> dict[str, list[float]]:
    """A layout with a place for every node: those that have one keep it, the others stand below."""
    given: dict[str, list[float]] = dict(document["layout"])
    nodes = [str(node["id"]) for node in document["nodes"]]
    top = max((at[1] + _ROW for at in given.values()), default=_FIRST)
    rows: dict[int, int] = {}
    columns = _columns(nodes, document["wires"])
    for node in nodes:
        if node not in given:
            column = columns[node]
            row = rows[column] = rows.get(column, -1) + 1
            given[node] = [_FIRST + column * _COLUMN, top + row * _ROW]
    return given


def _columns(nodes: Sequence[str], wires: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many wires lead to each node at most. Loops end: nobody stands beyond the last column."""
    columns = dict.fromkeys(nodes, 0)
    pairs = [(str(wire["from"]).partition(":")[0], str(wire["to"])) for wire in wires]
    known = [(source, to) for source, to in pairs if source in columns and to in columns]
    for _ in nodes:
        moved = False
        for source, to in known:
            if columns[to] <= columns[source] < len(nodes) - 1:
                columns[to] = columns[source] + 1
                moved = True
        if not moved:
            break
    return columns
