"""How soon does somebody who watches a flow see an event? From the POST to the frame with its row.

In real Chromium, on the flow's page, over its WebSocket. One event after another, at no fixed
distance, so that they don't fall into step with the frames of the live view.
"""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.bench.product import Product
from tests.bench.rates import Figures, percentile
from tests.servers import wait_until

EVENTS = 100
_OWNER = "admin"  # the first login, as `manage.py firstrun` makes it
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
# The row is there when the browser has drawn the frame behind the one in which it came.
_WATCH = """
() => {
  window.shown = {};
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    for (const row of document.querySelectorAll("tbody tr")) {
      const id = /seen-[0-9a-z]+-[0-9]+/.exec(row.textContent)?.[0];
      if (id && !(id in window.shown)) {
        window.shown[id] = 0;
        requestAnimationFrame(() => requestAnimationFrame(() => (window.shown[id] = now())));
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}
"""


def browser_path() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def _watching(product: Product, flow: str) -> Iterator[Page]:
    """The flow's page, with its owner before it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=_ARGUMENTS)
        page = browser.new_page(base_url=product.base_url, viewport={"width": 1440, "height": 900})
        page.goto("/login")
        page.fill("input[name=username]", _OWNER)
        page.fill("input[name=password]", product.first_password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/flows")
        page.goto(f"/w/main/flows/{flow}")
        page.wait_for_selector("tbody tr")
        page.evaluate(_WATCH)
        yield page
        browser.close()


def visible(product: Product, flow: str, prefix: str, events: int = EVENTS) -> Figures:
    """Milliseconds from the POST of an event to its row on the screen. The flow has traces."""
    sent: dict[str, float] = {}
    with _watching(product, flow) as page:
        for number in range(events):
            time.sleep(random.uniform(0.05, 0.25))
            event_id = f"seen-{prefix}-{number}"
            body = {"id": event_id, "type": "OrderCreated", "data": {"amount": 90 + number % 20}}
            sent[event_id] = time.time() * 1_000
            product.post(f"/api/v1/flows/{flow}/trigger", body)
        wait_until(lambda: _all_shown(page, events), 10, "the last row")
        shown = page.evaluate("window.shown")
    took = [shown[event_id] - at for event_id, at in sent.items()]
    return {"p50": percentile(took, 0.5), "p95": percentile(took, 0.95), "events": len(took)}


def _all_shown(page: Page, events: int) -> bool:
    shown = page.evaluate("Object.values(window.shown).filter((at) => at > 0).length")
    return int(shown) == events
