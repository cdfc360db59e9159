"""A workspace in which everything has happened once: what the pages have to show."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from django.contrib.auth import get_user_model
from django.test import Client, TestCase

from tests import make
from tests.servers import forget_celery_connections
from workflows.models import (
    ApiToken,
    Channel,
    Connection,
    DeadLetter,
    Difference,
    Flow,
    Membership,
    Rejected,
    Subscription,
    Workspace,
)
from workflows.storage import channels, cursors, flows, people, publishing, redrives, replays
from workflows.storage.deadgroups import Wanted
from workflows.storage.parts import TraceRef
from workflows.storage.plans import load_plan
from workflows.storage.seal import seal
from workflows.tasks import process
from workflows.tasks.drain import drain_slice

HERE = Path(__file__).parent
HOSTILE = '"><script>alert(1)</script>'
PASSWORD = "correct-horse-battery"


class World(NamedTuple):
    """The workspace `main` with a flow that has run, and the ids of what came of it."""

    space: Workspace
    flow: Flow
    trace: str
    failed: str
    position: str
    letter: int
    run: int
    replay: int
    difference: int
    token: int
    member: int


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In each file, the tests that begin with an empty workspace come before those with a past."""

    def turn(item: Any) -> tuple[Path, bool]:
        return item.path, "past" in item.fixturenames

    here = [index for index, item in enumerate(items) if item.path.parent == HERE]
    in_turn = sorted((items[index] for index in here), key=turn)
    for index, item in zip(here, in_turn, strict=True):
        items[index] = item


@pytest.fixture(autouse=True)
def _fresh(db: None, valkey: str, settings: Any) -> Iterator[None]:
    """Rolled-back tests use ids again: what the process remembers by id must go with them, and what
    was asked of workers."""
    _forget()
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    yield
    process.stop(2.0)
    forget_celery_connections()
    _forget()  # tests of other rooms may follow in this process


def _forget() -> None:
    channels.forget()
    for cached in (load_plan, cursors.workspace_of, cursors.channel_of):
        cached.cache_clear()


@pytest.fixture
def world(past: World) -> World:
    """What happened, read anew: a test may change its rows, and loses nobody else's."""
    return past._replace(
        space=Workspace.objects.get(pk=past.space.pk), flow=Flow.objects.get(pk=past.flow.pk)
    )


class _Around(TestCase):
    """The transaction that Django puts around the tests of a class. What is durable may begin."""


@pytest.fixture(scope="module")
def past(django_db_setup: None, django_db_blocker: Any, valkey: str) -> Iterator[World]:
    """All of it happens once for a file of tests, in a transaction around those of its tests."""
    with django_db_blocker.unblock():
        _Around.setUpClass()
        try:
            _forget()
            yield _happen()
        finally:
            _Around.tearDownClass()
            _Around.doClassCleanups()


def _happen() -> World:
    space = make.workspace()
    flow = make.published(make.order_document(), space)
    bodies = [
        make.event("big", 150, subject="customer-1"),
        make.event("small", 5),
        {**make.event("broken"), "data": {"note": HOSTILE}, "type": f"Odd{HOSTILE}"},
    ]
    places = make.append(flow, bodies)
    drain(flow)
    letter = DeadLetter.objects.get(flow=flow)
    _token, row = people.create_token(space.pk, "shop", ["events:write"])
    Connection.objects.create(workspace=space, name="billing", sealed=seal("s3cret"), note=HOSTILE)
    Rejected.objects.create(
        flow=flow, node="in", reason=HOSTILE, headers={"x": HOSTILE}, body=b"{", rejected_at=1.0
    )
    subscription = Subscription.objects.get(flow=flow).pk
    refs = [TraceRef(subscription, place.partition, place.offset) for place in places]
    owner = join("olga", space, "owner")
    replay = replays.start(flow, replays.Wish("shadow"))
    difference = Difference.objects.create(
        replay=replay,
        kind="different",
        node="big",
        live="passed by match",
        shadow=HOSTILE,
        detail=HOSTILE,
        trace=str(refs[1]),
        live_trace=str(refs[0]),
        event_id=HOSTILE,
        type=HOSTILE,
        key=HOSTILE,
    )
    happened = World(
        space=space,
        flow=flow,
        trace=str(refs[0]),
        failed=str(refs[2]),
        position=f"{places[0].channel_id}-{places[0].partition}-{places[0].offset}",
        letter=letter.pk,
        run=redrives.start(space.pk, "olga", redrives.Order(Wanted(), (letter.pk,))).pk,
        replay=replay.pk,
        difference=difference.pk,
        token=row.pk,
        member=Membership.objects.get(user__username=owner).pk,
    )
    process.stop(2.0)
    forget_celery_connections()
    return happened


def drain(flow: Flow) -> None:
    """Take everything that waits, in this process."""
    for subscription in Subscription.objects.filter(flow=flow):
        while drain_slice(subscription.pk):
            pass


def join(name: str, space: Workspace, role: str) -> str:
    """A user with that role there; the user's name."""
    users = get_user_model().objects
    user = users.filter(username=name).first() or users.create_user(name, password=PASSWORD)
    Membership.objects.update_or_create(workspace=space, user=user, defaults={"role": role})
    return name


@pytest.fixture
def browser(client: Client) -> Callable[[str], Client]:
    """A browser in which a member of `main` with that role is logged in."""

    def log_in(role: str) -> Client:
        name = join(f"a-{role}", make.workspace(), role)
        client.force_login(get_user_model().objects.get(username=name))
        return client

    return log_in


def hostile_flow(space: Workspace) -> Flow:
    """A flow whose every name is an attack."""
    body = make.document("odd", (("in", "producer.manual", {}), ("end", "consumer.log", {})), ())
    body["wires"] = [{"from": "in:out", "to": "end"}]
    body["name"] = HOSTILE
    body["description"] = HOSTILE
    for node in body["nodes"]:
        node["name"] = HOSTILE
    flow = flows.import_document(space.pk, body)
    publishing.publish(flow, flows.draft_document(space.pk, "odd") or {}, note=HOSTILE)
    Channel.objects.filter(flow=flow).update(name=HOSTILE)
    ApiToken.objects.update(name=HOSTILE)
    return flow
