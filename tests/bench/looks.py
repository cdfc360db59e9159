"""How long do pages and lists take to come? Those that people open, each asked for a few times."""

import json
import os
import re
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

from tests.bench.processes import usage
from tests.bench.product import Product

TIMES = 20
Asked = dict[str, tuple[str, bool]]  # by name: a path, and whether it is a page (else of the API)


def looks(product: Product, event_id: str, key: str, order_id: int) -> Asked:
    """What people and programs ask for most."""
    newest = json.loads(product.get("/api/v1/traces?flow=w2&limit=1"))["results"][0]
    ref, where = newest["id"], "/api/v1/where?"
    of_field = urlencode({"field": "data.order_id", "value": order_id})
    return {
        "traces of all flows": ("/api/v1/traces?limit=50", False),
        "traces of a flow": ("/api/v1/traces?flow=w2&limit=50", False),
        "failed traces of all flows": ("/api/v1/traces?state=failed", False),
        "traces of a key in a flow": (f"/api/v1/traces?flow=w2&key={key}", False),
        "traces of an event": (f"/api/v1/traces?event={event_id}", False),
        "a trace": (f"/api/v1/traces/{ref}", False),
        "where is it, by id": (where + urlencode({"id": event_id}), False),
        "where is it, by key": (where + urlencode({"key": key}), False),
        "where is it, by an indexed field": (where + of_field, False),
        "dead letters": ("/api/v1/dead-letters", False),
        "groups of dead letters": ("/api/v1/dead-letters/groups", False),
        "flows": ("/api/v1/flows?limit=50", False),
        "channels": ("/api/v1/channels?limit=50", False),
        "a flow's backlog": ("/api/v1/flows/w2/backlog", False),
        "metrics": ("/metrics", False),
        "healthz": ("/healthz", False),
        "page: flows": ("/w/main/flows", True),
        "page: a flow": ("/w/main/flows/w2", True),
        "page: traces": ("/w/main/traces", True),
        "page: a trace": (f"/w/main/traces/{ref}", True),
        "page: events": ("/w/main/events", True),
        "page: dead letters": ("/w/main/dead-letters", True),
        "page: channels": ("/w/main/channels", True),
        "page: search by an id": (f"/w/main/search?q={event_id}", True),
        "page: search by a key": (f"/w/main/search?q={key}", True),
        "page: health": ("/w/main/health", True),
    }


def time_looks(product: Product, home: Path, asked: Asked) -> dict[str, float]:
    """Milliseconds of the web process's processor for each, by name: on SQLite that is all there
    is, however busy the machine. On PostgreSQL the shortest time that one of them took."""
    browser = _logged_in(product, (home / "first_login").read_text().strip())
    is_postgres = os.environ.get("DATABASE_URL", "").startswith("post")
    out = {}
    for name, (path, is_page) in asked.items():
        taken = []
        for number in range(TIMES + 1):
            if number == 1:  # the first one isn't counted
                started = usage(product.pid)["web"].seconds
            begun = time.perf_counter()
            if is_page:
                with browser.open(f"{product.base_url}{path}", timeout=120) as answer:
                    answer.read()
            else:
                product.get(path)
            taken.append(time.perf_counter() - begun)
        spent = (usage(product.pid)["web"].seconds - started) / TIMES
        out[name] = (min(taken) if is_postgres else spent) * 1000
    return out


def _logged_in(product: Product, password: str) -> urllib.request.OpenerDirector:
    cookies = urllib.request.HTTPCookieProcessor(CookieJar())
    browser = urllib.request.build_opener(cookies)
    address = f"{product.base_url}/login"
    with browser.open(address, timeout=30) as answer:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())
    assert found is not None
    form = {"csrfmiddlewaretoken": found[1], "username": "admin", "password": password}
    request = urllib.request.Request(address, urlencode(form).encode(), {"Referer": address})
    with browser.open(request, timeout=30) as answer:
        assert not answer.url.endswith("/login"), "the first login was refused"
    return browser
