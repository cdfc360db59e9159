"""A flow file without a layout is drawn so that no card covers another."""

import itertools

from tests import make
from workflows.engine.placing import place


def _document(layout: dict[str, list[float]], *wires: str) -> dict[str, object]:
    ids = sorted({end.partition(":")[0] for wire in wires for end in wire.split()})
    nodes: list[make.Node] = [(one, "consumer.log", {}) for one in ids]
    return {**make.document("flow", nodes, wires), "layout": layout}


def _covers_none(layout: dict[str, list[float]]) -> bool:
    pairs = itertools.combinations(layout.values(), 2)
    return all(abs(a[0] - b[0]) >= 220 or abs(a[1] - b[1]) >= 64 for a, b in pairs)


def test_cards_follow_the_wires_from_left_to_right() -> None:
    layout = place(_document({}, "in:out big", "big:match end", "big:else note", "in:out note"))
    assert layout["in"][0] < layout["big"][0] < layout["end"][0] == layout["note"][0]
    assert _covers_none(layout)


def test_who_has_a_place_keeps_it() -> None:
    layout = place(_document({"in": [500, 300]}, "in:out end"))
    assert layout["in"] == [500, 300]
    assert layout["end"][1] > 300


def test_a_loop_is_drawn_too() -> None:
    layout = place(_document({}, "a:out b", "b:out c", "c:out a", "gone:out a"))
    assert set(layout) >= {"a", "b", "c"} and _covers_none(layout)
