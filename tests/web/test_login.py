"""How does the login withstand those who guess, and what is left when somebody leaves?"""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from tests import make
from tests.web.conftest import PASSWORD, join
from workflows.tasks.nudge import disconnect
from workflows.web.throttle import wait_after

ELSEWHERE = "203.0.113.7"


@pytest.fixture(autouse=True)
def counts(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as client:
        client.flushdb()
        yield client


@pytest.fixture
def olga(db: None) -> str:
    return join("olga", make.workspace(), "owner")


def attempt(name: str, password: str = "wrong", address: str = "198.51.100.1") -> HttpResponse:
    """A try from a browser without cookies; the address is the client's."""
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/login", form)


def let_time_pass(counts: redis.Redis) -> None:
    """All waits are over; what was counted stays counted."""
    for key in counts.scan_iter("*:wait"):
        counts.delete(key)


# tries so far, free ones -> seconds until the next
WAITS = [(1, 5, 0), (4, 5, 0), (5, 5, 5), (6, 5, 10), (8, 5, 40), (11, 5, 300), (10**9, 5, 300)]


@pytest.mark.parametrize(("tries", "free", "seconds"), WAITS)
def test_waits_grow_up_to_a_bound(tries: int, free: int, seconds: int) -> None:
    assert wait_after(tries, free) == seconds


@pytest.mark.parametrize("name", ["olga", "nobody"])
def test_who_guesses_must_wait_and_learns_nothing(olga: str, name: str) -> None:
    answers = [attempt(name) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "5"
    text = answers[-1].content.decode()
    assert "Too many tries. Wait 5 seconds, then try again." in text
    assert "wrong" not in text


def test_the_right_password_has_to_wait_too(olga: str, counts: redis.Redis) -> None:
    for _ in range(5):
        attempt(olga)
    assert attempt(olga, PASSWORD).status_code == 429
    let_time_pass(counts)
    assert attempt(olga, PASSWORD).status_code == 302


def test_each_wait_is_longer_than_the_one_before(olga: str, counts: redis.Redis) -> None:
    waits = []
    for _ in range(8):
        attempt(olga)
        if attempt(olga).status_code == 429:
            waits.append(int(attempt(olga).headers["Retry-After"]))
        let_time_pass(counts)
    assert waits[:3] == [5, 10, 20]


@pytest.mark.parametrize("same", ["OLGA", "\uff4flga"])
def test_other_spellings_of_an_account_count_for_it(olga: str, same: str) -> None:
    for _ in range(5):
        attempt(same)
    assert attempt(olga).status_code == 429


def test_one_account_that_waits_holds_up_no_other(olga: str) -> None:
    for _ in range(6):
        attempt("nobody")
    assert attempt(olga, PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("198.51.100.1", "198.51.100.1", 429),
        ("198.51.100.1", ELSEWHERE, 302),
        ("2001:db8::1", "2001:db8::2", 429),  # one machine has a whole network of them
        ("2001:db8::1", "2001:db8:1::1", 302),
    ],
)
def test_an_address_that_guesses_many_names_must_wait(
    olga: str, first: str, second: str, status: int
) -> None:
    for n in range(50):
        assert attempt(f"name-{n}", address=first).status_code == 200
    assert attempt(olga, PASSWORD, second).status_code == status


def test_a_login_that_succeeds_begins_the_count_anew(olga: str) -> None:
    for _ in range(60):
        assert attempt(olga, PASSWORD).status_code == 302
    for _ in range(4):
        attempt(olga)
    assert attempt(olga, PASSWORD).status_code == 302
    assert attempt(olga).status_code == 200


def test_without_redis_people_still_get_in(olga: str, settings: Any) -> None:
    disconnect()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        assert attempt(olga).status_code == 200
        assert attempt(olga, PASSWORD).status_code == 302
    finally:
        disconnect()


def test_a_new_password_ends_all_other_sessions(olga: str) -> None:
    here, there = Client(), Client()
    assert here.login(username=olga, password=PASSWORD)
    assert there.login(username=olga, password=PASSWORD)
    new = {"new_password1": "quite-another-1", "new_password2": "quite-another-1"}
    assert here.post("/password", {"old_password": PASSWORD, **new}).status_code == 302
    assert here.get("/w/main/flows").status_code == 200
    assert there.get("/w/main/flows").headers["Location"].startswith("/login")


def test_a_link_logs_nobody_out(olga: str) -> None:
    client = Client()
    assert client.login(username=olga, password=PASSWORD)
    assert client.get("/logout").status_code == 405
    assert client.get("/w/main/flows").status_code == 200


def test_scripts_and_other_sites_get_no_session(olga: str) -> None:
    cookie = attempt(olga, PASSWORD).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


NEXTS = [
    "https://example.org/",
    "//example.org/",
    "///example.org",
    "/\\example.org",
    "javascript:alert(1)",
    "https:example.org",
]


@pytest.mark.parametrize("leads_to", NEXTS)
def test_the_login_leads_to_no_other_site(olga: str, leads_to: str) -> None:
    form = {"username": olga, "password": PASSWORD, "next": leads_to}
    assert Client().post("/login", form).headers["Location"] == "/"


def test_every_refusal_carries_the_content_policy(olga: str, monkeypatch: Any) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    assert client.login(username=olga, password=PASSWORD)
    answers = {
        404: client.get("/w/elsewhere/flows"),
        403: client.post("/w/main/flows/new", {"name": "A"}),
        400: client.get("/w/main/flows", HTTP_HOST="evil.example"),
        405: client.get("/logout"),
    }
    monkeypatch.setattr("workflows.web.flowlines.lines", None)
    answers[500] = client.get("/w/main/flows")
    for status, answer in answers.items():
        assert answer.status_code == status
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
