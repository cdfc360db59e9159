"""Browser tests use Debian's Chromium, through Playwright, on one running installation."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Browser, Page, sync_playwright

from tests import make
from tests.servers import Stack
from tests.sink import Sink, running_sink
from workflows.models import Membership

# Playwright's loop lives in this thread; the tests query the database beside it, not within it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PASSWORD = "correct-horse-battery"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        says = "No Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(says)
        pytest.skip(says)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as server:
        yield server


@pytest.fixture(scope="session")
def owner(installation: Stack) -> str:
    """The name of somebody who owns the workspace `main`."""
    user = get_user_model().objects.create(
        username="ada", password=make_password(PASSWORD, hasher="pbkdf2_sha256")
    )
    Membership.objects.create(workspace=make.workspace(), user=user, role="owner")
    return user.username


@pytest.fixture
def page(installation: Stack, owner: str, browser: Browser) -> Iterator[Page]:
    """A page of the running product, where the owner is logged in. Anything that the browser
    complains about (scripts, the content security policy) fails the test at its end."""
    context = browser.new_context(
        base_url=installation.base_url,
        viewport={"width": 1440, "height": 900},
        reduced_motion="no-preference",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.goto("/login")
    page.fill("input[name=username]", owner)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/flows")
    yield page
    context.close()
    assert complaints == []
