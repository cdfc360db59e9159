"""Who may open which page?"""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World, join
from tests.web.pages import ELSEWHERE, LOWER, PAGES, Page, names_of_all
from workflows.models import DeadLetter, Flow, Membership

pytestmark = pytest.mark.sqlite_alone

Browser = Callable[[str], Client]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.name}{page.args}")


def ask(client: Client, page: Page, world: World) -> int:
    return _answer(client, page, world).status_code


def _answer(client: Client, page: Page, world: World):  # type: ignore[no-untyped-def]
    url = page.url(world)
    return client.get(url) if page.form is None else client.post(url, page.form)


def test_no_address_is_missing_from_the_table() -> None:
    assert {page.name for page in PAGES} == names_of_all() - ELSEWHERE


@EVERY_PAGE
def test_the_least_role_may(world: World, browser: Browser, page: Page) -> None:
    assert ask(browser(page.needs), page, world) in page.ok


@EVERY_PAGE
def test_a_stranger_finds_nothing(world: World, client: Client, page: Page) -> None:
    stranger = join("stranger", make.workspace("elsewhere"), "owner")
    assert client.login(username=stranger, password="correct-horse-battery")
    before = (Flow.objects.count(), DeadLetter.objects.get().state, Membership.objects.count())
    assert ask(client, page, world) == 404
    after = (Flow.objects.count(), DeadLetter.objects.get().state, Membership.objects.count())
    assert after == before


@EVERY_PAGE
def test_who_is_not_logged_in_is_led_to_the_login(world: World, client: Client, page: Page) -> None:
    answer = _answer(client, page, world)
    assert answer.status_code == 302
    assert answer.url.startswith("/login")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.needs in LOWER], ids=lambda page: page.name
)
def test_a_lower_role_is_told_what_is_missing(world: World, browser: Browser, page: Page) -> None:
    answer = _answer(browser(LOWER[page.needs]), page, world)
    assert answer.status_code == 403
    assert f"needs the role of {page.needs}" in answer.content.decode()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.name}{page.args}")
def test_the_ids_of_another_workspace_lead_nowhere(
    world: World, browser: Browser, page: Page
) -> None:
    """An owner elsewhere uses the other workspace's address with this one's ids."""
    if not page.args:
        return
    client = browser("viewer")
    elsewhere = make.workspace("elsewhere")
    join("a-viewer", elsewhere, "owner")
    url = page.url(world).replace(f"/w/{world.space.slug}/", "/w/elsewhere/", 1)
    answer = client.get(url) if page.form is None else client.post(url, page.form)
    assert answer.status_code == 404


def test_a_poll_without_a_session_sends_the_whole_page_to_the_login(
    world: World, client: Client
) -> None:
    answer = client.get("/w/main/flows?part=rows", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")


def test_a_form_without_its_token_is_refused_with_advice(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    join("olga", world.space, "owner")
    assert client.login(username="olga", password="correct-horse-battery")
    answer = client.post("/w/main/flows/new", {"name": "A"})
    assert answer.status_code == 403
    assert "load the page anew" in answer.content.decode()
    assert Flow.objects.count() == 1


def test_viewers_see_no_webhook_address(world: World, browser: Browser) -> None:
    url = "/w/main/flows/orders/trigger"
    assert b"/hooks/" not in browser("viewer").get(url).content
    assert b"/hooks/" in browser("editor").get(url).content
