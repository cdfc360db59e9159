"""Does every page keep to the content policy, and can everybody use it?"""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from tests.web.conftest import HOSTILE, World, hostile_flow
from tests.web.pages import READABLE, Page

pytestmark = pytest.mark.sqlite_alone

Browser = Callable[[str], Client]
EVERY_PAGE = pytest.mark.parametrize("page", READABLE, ids=lambda page: f"{page.name}{page.args}")
Attributes = dict[str, str]


class Elements(HTMLParser):
    """All elements of a page with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, Attributes]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, *tags: str) -> list[Attributes]:
        return [attributes for tag, attributes in self.all if tag in tags]


@pytest.fixture
def read(world: World, browser: Browser) -> Callable[[Page], tuple[str, Elements]]:
    def open_page(page: Page) -> tuple[str, Elements]:
        hostile_flow(world.space)
        html = browser("owner").get(page.url(world)).content.decode()
        return html, Elements(html)

    return open_page


Read = Callable[[Page], tuple[str, Elements]]


@EVERY_PAGE
def test_nothing_on_a_page_is_inline(read: Read, page: Page) -> None:
    _, elements = read(page)
    scripts = [one for one in elements.of("script") if one.get("type") != "application/json"]
    assert [one for one in scripts if "src" not in one] == []
    assert elements.of("style") == []
    for tag, attributes in elements.all:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith(("on", "hx-on"))], tag
        assert not attributes.get("href", "").lower().startswith("javascript:")


@EVERY_PAGE
def test_nothing_comes_from_elsewhere(read: Read, page: Page) -> None:
    _, elements = read(page)
    linked = [one for one in elements.of("script", "link") if one.get("type") != "application/json"]
    sources = [one.get("src") or one.get("href", "") for one in linked]
    assert [source for source in sources if not source.startswith("/static/")] == []


@EVERY_PAGE
def test_what_people_write_is_never_markup(read: Read, page: Page) -> None:
    html, _ = read(page)
    assert HOSTILE not in html
    assert "<script>alert" not in html


@EVERY_PAGE
def test_everything_has_a_name(read: Read, page: Page) -> None:
    html, elements = read(page)
    assert len(elements.of("h1")) == 1
    assert len(elements.of("main")) == 1
    ids = [one["id"] for _, one in elements.all if "id" in one]
    assert sorted(ids) == sorted(set(ids))
    labelled = {one["for"] for one in elements.of("label") if "for" in one}
    assert labelled <= set(ids)
    for field in elements.of("input", "select", "textarea"):
        if field.get("type") in ("hidden", "checkbox"):
            continue
        assert "aria-label" in field or field.get("id") in labelled, field
    for _, one in elements.all:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(one.get(name, "").split()) <= set(ids)
    assert all("alt" in one for one in elements.of("img"))
    assert 'lang="en"' in html


@pytest.mark.parametrize("address", ["/login", "/password", "/w/nowhere/flows"])
def test_pages_without_a_workspace_are_clean_too(browser: Browser, address: str) -> None:
    client = Client() if address == "/login" else browser("viewer")
    elements = Elements(client.get(address).content.decode())
    assert len(elements.of("h1")) == 1
    assert all("src" in one for one in elements.of("script"))
    assert not [one for _, one in elements.all if "style" in one]


def test_the_policy_forbids_inline_scripts(client: Client) -> None:
    policy = client.get("/login").headers["Content-Security-Policy"]
    assert "script-src 'self';" in f"{policy};"
    assert "unsafe" not in policy
