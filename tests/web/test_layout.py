"""The canvas has a place for every node."""

from collections.abc import Callable

from django.test import Client

from tests.web.conftest import World

Browser = Callable[[str], Client]


def test_a_flow_from_a_file_without_a_layout_is_drawn_side_by_side(
    world: World, browser: Browser
) -> None:
    layout = browser("viewer").get("/w/main/flows/orders").context["data"]["document"]["layout"]
    assert set(layout) == {"in", "big", "vat", "end"}
    assert len({tuple(place) for place in layout.values()}) == 4
