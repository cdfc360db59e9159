"""What a person does: draw a flow with the mouse, publish it, and watch an event walk through."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import make
from tests.servers import Stack, wait_until
from tests.sink import Sink

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def _drag_from_palette(page: Page, label: str, x: int, y: int) -> None:
    item = page.locator(".palette-item", has_text=label).first
    item.drag_to(page.locator(".react-flow__pane"), target_position={"x": x, "y": y})


def _node(page: Page, name: str) -> Locator:
    return page.locator(".react-flow__node", has_text=name)


def _wire(page: Page, source: Locator, port: str, target: Locator) -> None:
    """Drag from an output port to a node's input."""
    start = source.locator(f'.react-flow__handle.source[data-handleid="{port}"]').bounding_box()
    end = target.locator(".react-flow__handle.target").bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=8)
    page.mouse.up()


def _fill(page: Page, label: str, text: str) -> None:
    """Type into a field of the inspector, as a person would, and leave it."""
    field = page.locator("#inspector-body").get_by_label(label, exact=False).first
    field.fill(text)
    field.press("Tab")


_COUNT_PULSES = """() => {
  window.pulses = 0;
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (...words) {
    if (this.matches('.wire-pulse')) window.pulses += 1;
    return animate.apply(this, words);
  };
}"""


def test_a_flow_is_drawn_published_and_watched(page: Page, installation: Stack, sink: Sink) -> None:
    page.get_by_text("New flow").first.click()
    page.fill("#id_name", "Drawn orders")
    page.get_by_role("button", name="Create and draw").click()
    page.wait_for_url("**/flows/drawn-orders")

    # draw
    _drag_from_palette(page, "HTTP", 120, 120)
    _drag_from_palette(page, "Condition", 380, 280)
    _drag_from_palette(page, "HTTP request", 620, 440)
    expect(page.locator(".react-flow__node")).to_have_count(3)
    nodes = page.locator(".react-flow__node")
    source, condition, call = nodes.nth(0), nodes.nth(1), nodes.nth(2)
    page.keyboard.press("Escape")
    _wire(page, source, "out", condition)
    _wire(page, condition, "match", call)
    expect(page.locator(".react-flow__edge")).to_have_count(2)

    # configure
    condition.click()
    _fill(page, "Condition", "event.data.amount > 100")
    expect(condition).to_contain_text("amount > 100")
    call.click()
    _fill(page, "URL", f"{sink.url}/drawn")
    expect(call).to_contain_text("127.0.0.1")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()

    # publish
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published v1")).to_be_visible()

    # post, and watch without a reload
    page.evaluate(_COUNT_PULSES)
    status, answer = make.post(
        f"{installation.base_url}/api/v1/flows/drawn-orders/trigger",
        {"id": "order-1", "type": "OrderCreated", "data": {"amount": 150}},
        make.token(None, "events:write"),
    )
    assert status == 202, answer
    row = page.locator("tbody tr", has_text="OrderCreated").first
    expect(row).to_contain_text("Done")
    wait_until(lambda: page.evaluate("window.pulses") > 0, what="a pulse on a wire")
    assert sink.wait_for(1)[0].json["data"] == {"amount": 150}

    # open the trace
    row.click()
    detail = page.locator("#trace-detail")
    expect(detail).to_contain_text("event.data.amount > 100")
    expect(detail).to_contain_text("Delivered")
    page.goto(answer["events"][0]["trace_url"])
    expect(page.locator("main")).to_contain_text("order-1")
    expect(page.locator("main")).to_contain_text("event.data.amount > 100")


def test_undo_redo_and_delete_by_keyboard(page: Page) -> None:
    page.goto("/w/main/flows")
    page.get_by_text("New flow").first.click()
    page.fill("#id_name", "Keys")
    page.get_by_role("button", name="Create and draw").click()
    page.wait_for_url("**/flows/keys")
    _drag_from_palette(page, "Manual", 120, 120)
    _drag_from_palette(page, "Log", 480, 320)
    nodes = page.locator(".react-flow__node")
    expect(nodes).to_have_count(2)
    _wire(page, nodes.nth(0), "out", nodes.nth(1))
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    nodes.nth(1).click()
    page.locator(".react-flow__pane").press("Delete")
    expect(nodes).to_have_count(1)
    expect(page.locator(".react-flow__edge")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(nodes).to_have_count(2)
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    page.keyboard.press("Control+y")
    expect(nodes).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.reload()
    expect(nodes).to_have_count(2)


def test_publishing_what_is_wrong_shows_the_problem_at_its_node(page: Page) -> None:
    page.get_by_text("New flow").first.click()
    page.fill("#id_name", "Wrong")
    page.get_by_role("button", name="Create and draw").click()
    page.wait_for_url("**/flows/wrong")
    _drag_from_palette(page, "HTTP", 120, 120)
    _drag_from_palette(page, "Condition", 380, 280)
    nodes = page.locator(".react-flow__node")
    page.keyboard.press("Escape")
    _wire(page, nodes.nth(0), "out", nodes.nth(1))
    nodes.nth(1).click()
    _fill(page, "Condition", "event.data.amount >")
    expect(page.locator("#inspector-body")).to_contain_text("expression", ignore_case=True)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    expect(page.get_by_text("Published")).to_have_count(0)
