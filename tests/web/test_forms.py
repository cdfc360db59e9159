"""What do forms do, and what do they say when something is wrong?"""

import contextlib
import json
import re
from collections.abc import Callable

import pytest
from celery import current_app
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests import make
from tests.web.conftest import PASSWORD, World, join
from workflows.models import (
    ApiToken,
    Channel,
    Connection,
    DeadLetter,
    Flow,
    FlowVersion,
    Membership,
    Trace,
)
from workflows.storage import people
from workflows.storage.seal import unseal
from workflows.tasks.redrive import work_on

Browser = Callable[[str], Client]

# what is typed -> status, and what the page says or the slug that came of it
NEW_FLOWS = [
    ({"name": "Überweisungen 2"}, 302, "uberweisungen-2"),
    ({"name": "Größe & Maß"}, 302, "grosse-mass"),
    ({"name": "A", "slug": "Own_slug"}, 302, "Own_slug"),
    ({"name": ""}, 422, "Give the flow a name."),
    ({"name": "Orders"}, 422, "There is a flow of that address already"),
    ({"name": "A", "slug": "a b"}, 422, "Use 1 to 60 letters, digits, hyphens"),
    ({"name": "注文"}, 422, "Use 1 to 60 letters, digits, hyphens"),  # nothing is left for a slug
    ({"name": "Import"}, 422, "an address of its own"),
]


@pytest.mark.parametrize(("typed", "status", "says"), NEW_FLOWS)
def test_a_flow_begins_with_a_name(
    world: World, browser: Browser, typed: dict[str, str], status: int, says: str
) -> None:
    answer = browser("editor").post("/w/main/flows/new", typed)
    assert answer.status_code == status
    if status == 302:
        assert answer.headers["Location"] == f"/w/main/flows/{says}"
        assert Flow.objects.filter(slug=says).exists()
    else:
        assert says in answer.content.decode()


def _file(body: object) -> SimpleUploadedFile:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SimpleUploadedFile("flow.json", raw, "application/json")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "This is not JSON"),
        (b"\xff\xfe", "UTF-8 text"),
        (b"", "This is not JSON"),
        ({"format": "other"}, "The format must be"),
        ({"format": "eventflow/1", "slug": "a b"}, "be one"),
        ({"format": "eventflow/1", "slug": "new"}, "an address of its own"),
        (b"[" * 100_000, "This is not JSON that can be read"),
        (b" " * 1_100_000, "this one is larger"),
    ],
)
def test_a_bad_flow_file_is_refused_with_the_reason(
    world: World, browser: Browser, body: object, says: str
) -> None:
    answer = browser("editor").post("/w/main/flows/import", {"file": _file(body)})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert Flow.objects.count() == 1


def test_a_flow_file_becomes_a_flow_and_may_run_at_once(world: World, browser: Browser) -> None:
    form = {"file": _file(make.order_document("copy")), "publish": "on"}
    answer = browser("editor").post("/w/main/flows/import", form)
    assert answer.headers["Location"] == "/w/main/flows/copy"
    assert FlowVersion.objects.get(flow__slug="copy").number == 1


def test_a_flow_with_problems_is_imported_but_does_not_run(world: World, browser: Browser) -> None:
    body = make.document("bad", (("in", "producer.nothing", {}),), ())
    answer = browser("editor").post(
        "/w/main/flows/import", {"file": _file(body), "publish": "on"}, follow=True
    )
    assert "Imported, but not published" in answer.content.decode()
    assert Flow.objects.get(slug="bad").published is None


def test_a_flow_is_deleted_only_when_its_address_was_typed(world: World, browser: Browser) -> None:
    client = browser("owner")
    refused = client.post("/w/main/flows/orders/delete", {"confirm": "order"})
    assert refused.status_code == 422
    assert "Type orders to confirm." in refused.content.decode()
    client.post("/w/main/flows/orders/delete", {"confirm": "orders"})
    assert not Flow.objects.exists()


def test_an_older_version_runs_again_as_a_new_one(world: World, browser: Browser) -> None:
    client = browser("editor")
    client.post("/w/main/flows/orders/versions/1/publish", {})
    newest = FlowVersion.objects.latest("number")
    assert (newest.number, newest.note) == (2, "Version 1 again")
    assert newest.document == FlowVersion.objects.get(number=1).document


def test_going_back_asks_about_unread_events(world: World, browser: Browser) -> None:
    client = browser("editor")
    body = make.order_document()
    body["nodes"].append({"id": "more", "type": "producer.manual", "name": "", "config": {}})
    body["wires"].append({"from": "more:out", "to": "big"})
    make.published(body)
    make.append(world.flow, [make.event("unread")], node="more")
    asked = client.post("/w/main/flows/orders/versions/1/publish", {})
    assert asked.status_code == 409
    assert "Unread events would stay behind" in asked.content.decode()
    client.post("/w/main/flows/orders/versions/1/publish", {"unread": "finish"})
    assert FlowVersion.objects.latest("number").number == 3


def test_a_token_is_shown_once(world: World, browser: Browser) -> None:
    client = browser("owner")
    form = {"name": "till", "scopes": ["events:write", "traces:read"]}
    answer = client.post("/w/main/settings/tokens", form)
    (token,) = re.findall(r'value="(ef_[^"]+)"', answer.content.decode())
    found = people.find_token(token)
    assert found is not None
    assert found.scopes == {"events:write", "traces:read"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert token not in client.get("/w/main/settings/tokens").content.decode()


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": "", "scopes": ["admin"]}, "Name the program"),
        ({"name": "till"}, "Choose what the token may do"),
        ({"name": "till", "scopes": ["root"]}, "root is not one of"),
    ],
)
def test_a_token_needs_a_name_and_scopes(
    world: World, browser: Browser, form: dict[str, object], says: str
) -> None:
    answer = browser("owner").post("/w/main/settings/tokens", form)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert ApiToken.objects.count() == 1


def test_a_revoked_token_is_gone(world: World, browser: Browser) -> None:
    token, row = people.create_token(world.space.pk, "old", ["admin"])
    browser("owner").post(f"/w/main/settings/tokens/{row.pk}/revoke")
    assert people.find_token(token) is None


def test_a_secret_is_kept_and_never_shown(world: World, browser: Browser) -> None:
    client = browser("owner")
    form = {"name": "billing", "secret": " n3w ", "note": ""}
    page = client.post("/w/main/settings/connections", form, follow=True).content.decode()
    kept = Connection.objects.get(name="billing")
    assert unseal(bytes(kept.sealed)) == " n3w "
    assert "n3w" not in page
    wrong = client.post("/w/main/settings/connections", {"name": "a b", "secret": "hush"})
    assert wrong.status_code == 422
    assert "hush" not in wrong.content.decode()


def test_a_new_name_gets_a_login_whose_password_is_shown_once(
    world: World, browser: Browser
) -> None:
    client = browser("owner")
    form = {"username": "nadia", "role": "operator"}
    page = client.post("/w/main/settings/members/add", form).content.decode()
    (password,) = re.findall(r'id="new-password" value="([^"]+)"', page)
    assert Client().login(username="nadia", password=password)
    assert Membership.objects.get(user__username="nadia").role == "operator"
    again = client.post("/w/main/settings/members/add", form)
    assert again.status_code == 422
    assert "is a member already" in again.content.decode()


def test_an_existing_user_joins_without_a_new_password(world: World, browser: Browser) -> None:
    join("erik", make.workspace("elsewhere"), "owner")
    form = {"username": "erik", "role": "viewer"}
    browser("owner").post("/w/main/settings/members/add", form)
    assert Membership.objects.filter(workspace=world.space, user__username="erik").exists()
    assert get_user_model().objects.get(username="erik").check_password(PASSWORD)


@pytest.mark.parametrize("act", ["role", "remove"])
def test_the_last_owner_stays(world: World, client: Client, act: str) -> None:
    assert client.login(username="olga", password=PASSWORD)
    address = f"/w/main/settings/members/{world.member}/{act}"
    page = client.post(address, {"role": "viewer"}, follow=True).content.decode()
    assert "A workspace needs an owner" in page
    join("second", world.space, "owner")
    client.post(address, {"role": "viewer"})
    assert not Membership.objects.filter(pk=world.member, role="owner").exists()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"slug": "orders", "partitions": "4", "retention_days": "3"}, 302),
        ({"slug": "", "partitions": "4", "retention_days": "3"}, 422),
        ({"slug": "or.ders", "partitions": "4", "retention_days": "3"}, 422),
        (
            {"slug": "Orders", "partitions": "4", "retention_days": "3"},
            422,
        ),  # no node could name it
        ({"slug": "orders", "partitions": "65", "retention_days": "3"}, 422),
        ({"slug": "orders", "partitions": "4", "retention_days": "0"}, 422),
    ],
)
def test_a_channel_is_made(
    world: World, browser: Browser, form: dict[str, str], status: int
) -> None:
    assert browser("editor").post("/w/main/channels/new", form).status_code == status
    made = Channel.objects.filter(flow=None).values_list("slug", "partitions", "retention_days")
    assert list(made) == ([("orders", 4, 3)] if status == 302 else [])


def work() -> int:
    """Do, in this process, what was asked of the workers; how many redrives that were."""
    done = 0
    with current_app.connection_for_read() as connection:
        # As workers read it: a message waits for no ack, and doesn't come back.
        queue = connection.SimpleQueue(current_app.conf.task_default_queue, no_ack=True)
        with contextlib.suppress(queue.Empty):
            while True:
                message = queue.get_nowait()
                if message.headers["task"] == "workflows.redrive":
                    work_on(*message.payload[0])
                    done += 1
        queue.close()
    return done


def test_a_redriven_letter_runs_again_as_a_new_trace(world: World, browser: Browser) -> None:
    client = browser("operator")
    for _ in range(2):  # the second click does nothing more
        client.post(f"/w/main/dead-letters/{world.letter}/redrive")
    assert work() >= 1
    assert DeadLetter.objects.get(pk=world.letter).state == "redriven"
    assert Trace.objects.filter(event_id="broken").count() == 2
    page = client.get(f"/w/main/traces/{world.failed}-1").content.decode()
    assert "Dead letter, open" in page


def test_a_letter_runs_again_with_an_edited_payload(world: World, browser: Browser) -> None:
    client = browser("operator")
    address = f"/w/main/dead-letters/{world.letter}/edit"
    assert "&quot;note&quot;" in client.get(address).content.decode()
    for wrong, says in (("{", "valid JSON"), ('"' + "x" * 300_000 + '"', "at most 262,144")):
        refused = client.post(address, {"payload": wrong, "version": "published"})
        assert refused.status_code == 422
        assert says in refused.content.decode()
    client.post(address, {"payload": '{"amount": 500}', "version": "published"})
    work()
    page = client.get(f"/w/main/traces/{world.failed}-1").content.decode()
    assert "Redriven by a-operator, with an edited payload" in page
    page = client.get(f"/w/main/dead-letters/{world.letter}").content.decode()
    assert "Redriven by a-operator, with an edited payload" in page
    assert "500" in page


def test_ticked_letters_are_discarded_together(world: World, browser: Browser) -> None:
    client = browser("operator")
    form = {"id": [str(world.letter), "999999"]}
    page = client.get("/w/main/dead-letters/discard", form).content.decode()
    assert "Discard 1 dead letter<" in page
    answer = client.post("/w/main/dead-letters/discard", form)
    work()
    assert DeadLetter.objects.get().state == "discarded"
    assert "1 of 1" in client.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize("act", ["discard", "redrive"])
def test_letters_that_cannot_be_read_are_not_taken_for_all(
    world: World, browser: Browser, act: str
) -> None:
    form = {"id": ["x", "0", str(2**64)], "version": "published"}
    answer = browser("operator").post(f"/w/main/dead-letters/{act}", form)
    assert answer.status_code == 404
    work()
    assert DeadLetter.objects.get().state == "open"


def test_a_group_is_counted_and_redriven_at_once(world: World, browser: Browser) -> None:
    client = browser("operator")
    fingerprint = DeadLetter.objects.get().fingerprint
    address = f"/w/main/dead-letters/redrive?flow=orders&fingerprint={fingerprint}"
    assert "Redrive 1 dead letter<" in client.get(address).content.decode()
    form = {"flow": "orders", "fingerprint": fingerprint, "version": "published"}
    answer = client.post("/w/main/dead-letters/redrive", form)
    assert work() == 1
    assert DeadLetter.objects.get(pk=world.letter).state == "redriven"
    told = client.get(answer.headers["Location"]).content.decode()
    assert "1 of 1" in told
    assert "1 failed again" in told
    assert f"/w/main/traces/{world.failed}-1" in told


def test_a_discarded_letter_is_closed(world: World, browser: Browser) -> None:
    client = browser("operator")
    client.post(f"/w/main/dead-letters/{world.letter}/discard")
    assert DeadLetter.objects.get().state == "discarded"
    again = client.post(f"/w/main/dead-letters/{world.letter}/redrive", follow=True)
    assert "it is discarded already" in again.content.decode()
